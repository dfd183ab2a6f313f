CREATE TABLE c (PRIMARY KEY (id)) SELECT id, v, u, id+1 AS n FROM t;
INSERT INTO c VALUES (5,'x',7,6);
-- restart daemon
CREATE TABLE keyless AS SELECT v, COUNT(*) AS many, MAX(ts) AS at FROM t GROUP BY v;
UPDATE keyless SET many=many+1;
CREATE TABLE nothing (made INT NOT NULL DEFAULT 7) SELECT id FROM t WHERE id > 100;
INSERT INTO nothing (id) VALUES (1);
CREATE TABLE IF NOT EXISTS c SELECT 9 AS id;
CREATE TABLE ${schema}_two.there SELECT * FROM t;
USE ${schema}_two;
CREATE TABLE ${schema}.back LIKE there;
INSERT INTO ${schema}.back SELECT * FROM there;
CREATE TABLE here SELECT a.id, b.v FROM ${schema}.t a JOIN there b ON a.id=b.id+1;
-- restart daemon
-- # Its first rows were written when it failed: the source takes the table away again.
-- expect-error
CREATE TABLE fails (PRIMARY KEY (one)) SELECT 1 AS one FROM ${schema}.t;
CREATE TABLE fails SELECT 2 AS one;
CREATE TEMPORARY TABLE ${schema}.gone SELECT 1 AS one;
CREATE TABLE kept SELECT * FROM ${schema}.gone;
DROP TABLE here;
CREATE TABLE here SELECT 1 AS again;
