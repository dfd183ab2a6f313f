CREATE TABLE t (id INT PRIMARY KEY, v INT);
SET sql_log_bin=0;
INSERT INTO t VALUES (1,1);
SET sql_log_bin=1;
