INSERT INTO t VALUES (1,'a');
SET GLOBAL binlog_checksum=NONE;
INSERT INTO t VALUES (2,'b');
SET GLOBAL binlog_row_metadata=MINIMAL;
UPDATE t SET v=CONCAT(v,'é');
-- restart daemon
INSERT INTO t VALUES (3,'c');
SET GLOBAL binlog_checksum=CRC32;
DELETE FROM t WHERE id=1;
SET GLOBAL binlog_row_metadata=FULL;
UPDATE t SET v='d' WHERE id=3;
