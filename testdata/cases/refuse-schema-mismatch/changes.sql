-- refused-unequal
INSERT INTO t VALUES (2,2,2);
-- halted
-- target: ALTER TABLE t ADD w INT
-- resume
UPDATE t SET w=3;
