CREATE TABLE t (id INT PRIMARY KEY, v INT, CONSTRAINT positive CHECK (v>0));
SET sql_log_bin=0;
ALTER TABLE t DROP CHECK positive;
SET sql_log_bin=1;
