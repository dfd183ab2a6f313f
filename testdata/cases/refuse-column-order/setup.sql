CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT);
SET sql_log_bin=0;
ALTER TABLE t MODIFY w INT AFTER id;
SET sql_log_bin=1;
