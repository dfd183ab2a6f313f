INSERT INTO k VALUES (1,'a'),(1,'a');
SET GLOBAL binlog_checksum=NONE;
INSERT INTO k VALUES (2,'b');
UPDATE k SET w='c' WHERE v=1 LIMIT 1;
-- restart daemon
DELETE FROM k WHERE v=1 LIMIT 1;
FLUSH BINARY LOGS;
INSERT INTO k VALUES (3,'d');
SET GLOBAL binlog_checksum=CRC32;
INSERT INTO k VALUES (4,'e');
SET GLOBAL binlog_row_metadata=MINIMAL;
INSERT INTO k VALUES (5,'f');
UPDATE k SET v=v+10;
SET GLOBAL binlog_row_metadata=FULL;
INSERT INTO k VALUES (6,'g');
SET GLOBAL binlog_row_metadata=@metadata;
INSERT INTO k VALUES (7,'h');
