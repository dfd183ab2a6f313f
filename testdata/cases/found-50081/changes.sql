SET sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='-05:30', innodb_lock_wait_timeout=1, lock_wait_timeout=1, binlog_row_image=NOBLOB, binlog_transaction_compression=OFF, foreign_key_checks=ON, unique_checks=OFF, binlog_rows_query_log_events=ON;
-- session: 2
SET sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+14:00', innodb_lock_wait_timeout=1, lock_wait_timeout=1, binlog_row_image=FULL, binlog_transaction_compression=OFF, foreign_key_checks=ON, unique_checks=ON, binlog_rows_query_log_events=OFF;
-- session: 3
SET sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='-05:30', innodb_lock_wait_timeout=1, lock_wait_timeout=1, binlog_row_image=FULL, binlog_transaction_compression=OFF, foreign_key_checks=OFF, unique_checks=ON, binlog_rows_query_log_events=ON;
-- session: 2
BEGIN;
-- expect-error
INSERT INTO child (c1, id, p) VALUES ('2001-09-09 01:46:40.9', 2, 2024), ('2001-09-09 01:46:40.9', 0, NULL), (NULL, 7, 2000) ON DUPLICATE KEY UPDATE p=2024;
INSERT INTO t0 (c1, c2, c3, c4, c5) VALUES (2000, '-00:00:01.999', NULL, _latin1 0x999920, STRING_TO_VECTOR('[1,2,3]'));
UPDATE child SET p=2000, id=id - 1 WHERE p >= NULL LIMIT 2;
INSERT INTO t0 (c1, c2, c3, c4, c5) VALUES (2024, '838:59:59', JSON_OBJECT('a', CAST('"a\\u0000b"' AS JSON), 'b', JSON_QUOTE('"')), _latin1 0x999920, STRING_TO_VECTOR('[1,2,3]')), (2000, '00:00:01.999', CAST(65536 AS JSON), NULL, STRING_TO_VECTOR('[1,2,3]')) ON DUPLICATE KEY UPDATE c2='838:59:59', c2='-00:00:01.000';
INSERT INTO child (c1, id, p) VALUES ('2001-09-09 01:46:40.9', 3, 2024);
INSERT INTO t0 (c1, c2, c3, c4, c5) VALUES (2000, '-00:00:01.999', JSON_OBJECT('a', CAST('"a\\u0000b"' AS JSON), 'b', JSON_QUOTE('"')), NULL, STRING_TO_VECTOR('[5]')) ON DUPLICATE KEY UPDATE c5=STRING_TO_VECTOR('[1,2,3]'), c4=TRIM(c4);
UPDATE child SET c1=NULL, id=1, c1='2024-11-03 06:30:00.1' WHERE c1 >= '2001-09-09 01:46:40.9' LIMIT 2;
COMMIT;
-- session: 1
BEGIN;
-- expect-error
INSERT INTO t0 (c1, c2, c3, c4, c5) VALUES (2024, '-00:00:01.000', JSON_OBJECT('a', CAST('"a\\u0000b"' AS JSON), 'b', JSON_QUOTE('"')), _latin1 0x9999, STRING_TO_VECTOR('[1,2,3]'));
SAVEPOINT s;
SAVEPOINT s;
SAVEPOINT s;
COMMIT;
ALTER TABLE child ADD COLUMN c2 DATETIME(2) NOT NULL FIRST;
