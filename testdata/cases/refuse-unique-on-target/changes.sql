-- refused-unequal
INSERT INTO t VALUES (1,5),(2,5);
-- halted
INSERT INTO t VALUES (3,5);
-- target: ALTER TABLE t DROP INDEX v
-- resume
UPDATE t SET v=6;
