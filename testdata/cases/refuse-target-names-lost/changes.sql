UPDATE t SET v=3;
-- await
SET GLOBAL binlog_row_metadata=MINIMAL;
-- refused
UPDATE t SET v=4, w=5;
-- halted
SET GLOBAL binlog_row_metadata=FULL;
-- target: ALTER TABLE t MODIFY w INT AFTER v
-- resume
INSERT INTO t VALUES (2,6,7);
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
