CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20));
SET binlog_annotate_row_events=ON;
INSERT INTO t VALUES (1,'DROP TABLE t');
SET binlog_annotate_row_events=OFF;
INSERT INTO t VALUES (2,'b');
BEGIN;
UPDATE t SET v='c' WHERE id=1;
SET @x=1;
DELETE FROM t WHERE id=2;
COMMIT;
SET binlog_annotate_row_events=ON;
UPDATE t SET v='d';
-- restart daemon
INSERT INTO t SELECT id+10, v FROM t;
