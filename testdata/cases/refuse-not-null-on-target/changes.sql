-- refused-unequal
INSERT INTO t VALUES (1,NULL);
-- halted
INSERT INTO t VALUES (2,NULL);
-- target: ALTER TABLE t MODIFY v INT NULL
-- resume
UPDATE t SET v=6 WHERE id=1;
