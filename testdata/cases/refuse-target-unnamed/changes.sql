-- refused
INSERT INTO t VALUES (1,1,'a');
-- halted
SET GLOBAL binlog_row_metadata=FULL;
-- target: ALTER TABLE t DROP x, MODIFY w VARCHAR(10) AFTER v
-- resume
UPDATE t SET v=2;
-- target: ALTER TABLE t ADD x INT DEFAULT 6 AFTER id, MODIFY w VARCHAR(10) FIRST
-- restart daemon
INSERT INTO t VALUES (2,2,'b');
UPDATE t SET w='c' WHERE id=1;
-- target-none: SELECT 1 FROM ${schema}.t WHERE x<>6
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
