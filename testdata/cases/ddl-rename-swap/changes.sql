INSERT INTO _t_new (id,v) SELECT id, v FROM t;
RENAME TABLE t TO _t_old, _t_new TO t;
INSERT INTO t VALUES (3,3,3);
UPDATE t SET w=5 WHERE id=1;
DROP TABLE _t_old;
DELETE FROM t WHERE id=2;
