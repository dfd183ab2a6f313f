SET binlog_row_image=NOBLOB;
UPDATE t SET a=5 WHERE id=1;
UPDATE t SET c='new' WHERE id=2;
INSERT INTO t VALUES (3,3,'e'),(4,4,NULL);
DELETE FROM t WHERE id=3;
