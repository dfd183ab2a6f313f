-- refused-unequal
INSERT INTO t VALUES (1,2);
-- halted
INSERT INTO t VALUES (2,2);
-- target: DELETE FROM t
-- resume
UPDATE t SET v=v+1;
