CREATE TABLE _t_gho LIKE t;
ALTER TABLE _t_gho ADD w INT DEFAULT 1;
INSERT INTO _t_gho (id,v) SELECT id, v FROM t;
RENAME TABLE t TO _t_del, _t_gho TO t;
INSERT INTO t VALUES (3,3,3);
-- restart daemon
UPDATE t SET w=5 WHERE id=1;
DROP TABLE _t_del;
CREATE TABLE s LIKE t;
INSERT INTO s VALUES (9,9,9);
RENAME TABLE t TO tmp, s TO t, tmp TO s;
RENAME TABLE t TO tmp, s TO t, tmp TO s;
RENAME TABLE t TO tmp, s TO t, tmp TO s;
DELETE FROM s WHERE id=2;
