ALTER TABLE t ADD w INT;
-- restart daemon
INSERT INTO t VALUES (2,2,2);
ALTER TABLE t DROP v;
-- restart daemon
INSERT INTO t VALUES (3,3);
RENAME TABLE t TO u;
-- restart daemon
DELETE FROM u WHERE id=1;
