SET binlog_rows_query_log_events=ON;
INSERT INTO t VALUES (1),(2);
DELETE FROM t WHERE id=1;
