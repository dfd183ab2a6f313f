-- refused
INSERT INTO t VALUES (1,1);
-- halted
UPDATE t SET v=2;
-- target: ALTER TABLE t ALTER x SET DEFAULT NULL
-- resume
INSERT INTO t VALUES (2,2);
-- target-none: SELECT 1 FROM ${schema}.t WHERE x IS NOT NULL
