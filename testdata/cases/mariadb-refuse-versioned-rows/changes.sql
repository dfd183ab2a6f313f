-- refused-unequal
UPDATE t SET v=2;
-- halted
SET sql_log_bin=0;
ALTER TABLE t DROP SYSTEM VERSIONING;
SET sql_log_bin=1;
-- target: UPDATE t SET v=2
-- skip
-- resume
UPDATE t SET v=3;
INSERT INTO t VALUES (2,2);
