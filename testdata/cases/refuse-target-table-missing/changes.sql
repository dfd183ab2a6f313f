SET sql_log_bin=0;
CREATE TABLE t (id INT PRIMARY KEY);
SET sql_log_bin=1;
-- refused-unequal
INSERT INTO t VALUES (1);
-- halted
-- target: CREATE TABLE t (id INT PRIMARY KEY)
-- resume
INSERT INTO t VALUES (2);
