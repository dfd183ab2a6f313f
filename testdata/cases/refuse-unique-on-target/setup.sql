CREATE TABLE t (id INT PRIMARY KEY, v INT, UNIQUE KEY v (v));
SET sql_log_bin=0;
ALTER TABLE t DROP INDEX v;
SET sql_log_bin=1;
