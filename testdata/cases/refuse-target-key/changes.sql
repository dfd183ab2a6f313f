-- refused
INSERT INTO t VALUES (1,1),(2,2);
-- halted
UPDATE t SET id=3, v=3 WHERE id=1;
-- target: ALTER TABLE t ADD UNIQUE (id)
-- resume
DELETE FROM t WHERE id=2;
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
