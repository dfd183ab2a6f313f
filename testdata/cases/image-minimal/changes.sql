SET binlog_row_image=MINIMAL;
UPDATE t SET a=5 WHERE id=1;
INSERT INTO t (id,a) VALUES (3,3);
-- session: 2
UPDATE t SET b='z' WHERE id=1;
-- session: 1
UPDATE t SET id=9 WHERE id=1;
DELETE FROM t WHERE id=2;
DELETE FROM k LIMIT 1;
