SET @names=1 /*M!100500 , GLOBAL binlog_row_metadata=FULL */;
CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT);
-- target: ALTER TABLE t MODIFY w INT AFTER id
INSERT INTO t VALUES (1,1,2);
