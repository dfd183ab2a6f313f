INSERT INTO t VALUES (1,1);
INSERT INTO ${schema}_a.t VALUES (1,2);
INSERT INTO ${schema}_b.t VALUES (1,3);
RENAME TABLE t TO ${schema}_a.x, ${schema}_a.t TO ${schema}_b.x, ${schema}_b.t TO t;
UPDATE t, ${schema}_a.x a, ${schema}_b.x b SET t.v=10, a.v=1, b.v=30;
USE ${schema}_a;
ALTER TABLE x ADD CONSTRAINT f FOREIGN KEY (v) REFERENCES ${schema}_b.x (id);
-- expect-error
ALTER TABLE ${schema}_b.x RENAME TO y, ADD z INT, DROP never_was;
ALTER TABLE x DROP FOREIGN KEY f;
ALTER TABLE ${schema}_b.x RENAME TO y, ADD z INT;
CREATE TABLE ${schema}_b.l LIKE y;
INSERT INTO ${schema}_b.l SELECT * FROM y;
DROP TABLE x, ${schema}_b.l, ${schema}.t;
-- restart daemon
CREATE TABLE `a``;b` (id INT PRIMARY KEY);
INSERT INTO `a``;b` VALUES (1);
DROP DATABASE ${schema}_b;
