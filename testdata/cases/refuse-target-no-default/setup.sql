SET @names=1 /*M!100500 , GLOBAL binlog_row_metadata=FULL */;
CREATE TABLE t (id INT PRIMARY KEY, v INT);
-- target: ALTER TABLE t ADD must INT NOT NULL AFTER id
