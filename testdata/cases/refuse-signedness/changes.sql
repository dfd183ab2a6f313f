-- refused-unequal
INSERT INTO t VALUES (1,4294967295);
-- halted
-- target: ALTER TABLE t MODIFY v INT UNSIGNED
-- resume
INSERT INTO t VALUES (2,2147483648);
SET GLOBAL binlog_row_metadata=@metadata;
