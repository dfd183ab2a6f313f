-- target: GRANT PROCESS ON *.* TO applier
-- restart daemon
CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT);
INSERT INTO t VALUES (1,10,20);
