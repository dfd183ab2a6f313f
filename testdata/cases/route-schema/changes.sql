INSERT INTO t VALUES (3,'three');
UPDATE t SET v=IF(id=1,'two','one') WHERE id=1 AND v='x';
INSERT INTO keyless VALUES (1,0.1),(1,0.1),(2,NULL);
DELETE FROM keyless WHERE a=1 LIMIT 1;
ALTER TABLE ${schema}.t ADD w INT DEFAULT 7, ADD INDEX (w);
UPDATE t SET w=8 WHERE id=2;
CREATE TABLE made AS SELECT id, v FROM t;
INSERT INTO made VALUES (9,'nine');
ALTER DATABASE CHARACTER SET latin1;
CREATE TABLE latin (s VARCHAR(9));
INSERT INTO latin VALUES ('é');
CREATE TABLE like_t LIKE t;
INSERT INTO like_t SELECT * FROM t;
-- restart daemon
TRUNCATE like_t;
DROP TABLE IF EXISTS made, `${schema}`.never_was;
SET binlog_row_image=MINIMAL;
UPDATE t SET v='2' WHERE id=2;
