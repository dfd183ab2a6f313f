CREATE TABLE t (id INT PRIMARY KEY, v INT);
SET skip_replication=1;
INSERT INTO t VALUES (1,1),(2,2);
ALTER TABLE t ADD w INT;
UPDATE t SET w=5;
SET skip_replication=0;
DELETE FROM t WHERE id=1;
