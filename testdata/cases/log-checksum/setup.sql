SET @metadata=@@GLOBAL.binlog_row_metadata;
CREATE TABLE k (v INT, w VARCHAR(9));
