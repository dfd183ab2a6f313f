SET @metadata=@@GLOBAL.binlog_row_metadata;
SET GLOBAL binlog_row_metadata=FULL;
CREATE TABLE t (id INT PRIMARY KEY, v INT);
SET sql_log_bin=0;
ALTER TABLE t MODIFY v INT UNSIGNED;
SET sql_log_bin=1;
