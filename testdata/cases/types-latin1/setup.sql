CREATE TABLE l (s VARCHAR(60) CHARACTER SET latin1, v INT);
CREATE TABLE k (s VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY, c CHAR(9) CHARACTER SET latin1, x TEXT CHARACTER SET latin1);
INSERT INTO l VALUES ('é',1),('€',2),(_binary 0x818D8F909D,3),(_binary 0xC3A9,4),('',5);
INSERT INTO k VALUES (_binary 0xE9,'ÿ','ß'),(_binary 0xC9,'a\\b\'c"',REPEAT('é',1000));
