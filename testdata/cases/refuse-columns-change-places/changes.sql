ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a;
UPDATE t SET a=a+1;
-- refused
ALTER TABLE t CHANGE a b INT, CHANGE b a INT FIRST;
-- halted
-- target: GRANT PROCESS ON *.* TO applier
-- resume
INSERT INTO t VALUES (2,2,2);
-- target: REVOKE PROCESS ON *.* FROM applier
