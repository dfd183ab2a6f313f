-- refused
RENAME TABLE t TO other_db.t;
SET sql_log_bin=0;
DROP DATABASE other_db;
