-- expect-error
ALTER TABLE t ADD UNIQUE (v);
-- expect-error
CREATE TABLE t (id INT);
-- expect-error
DROP TABLE t, never_was;
CREATE TABLE IF NOT EXISTS t (other INT);
-- expect-error
INSERT INTO t VALUES (3,3),(1,1);
INSERT INTO t VALUES (3,3);
