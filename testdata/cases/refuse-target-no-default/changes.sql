-- refused
INSERT INTO t VALUES (1,1);
-- halted
UPDATE t SET v=2;
-- target: ALTER TABLE t ALTER must SET DEFAULT 8
-- resume
INSERT INTO t VALUES (2,2);
-- target-none: SELECT 1 FROM ${schema}.t WHERE must<>8
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
