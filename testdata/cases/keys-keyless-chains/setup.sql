CREATE TABLE r (i INT, dc DECIMAL(20,5), f FLOAT, d DOUBLE, bt BIT(9), dtm DATETIME(3), ts TIMESTAMP(6) NULL, c CHAR(5), vc VARCHAR(50) CHARACTER SET latin1,
  t TEXT, bn BINARY(4), bl BLOB, e ENUM('a','b'), s SET('x','y'));
INSERT INTO r VALUES (1,0.1,0.1,0.1,b'101','2024-02-29 01:02:03.004','2038-01-19 03:14:07.999999','a ','é','x',0x61,0x6100,'a','x,y');
INSERT INTO r SELECT * FROM r;
INSERT INTO r SELECT 2,dc,f,d,bt,dtm,ts,c,vc,t,bn,bl,e,s FROM r LIMIT 1;
INSERT INTO r (i) VALUES (NULL),(NULL),(3),(4);
