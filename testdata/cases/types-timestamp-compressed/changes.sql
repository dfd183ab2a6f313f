SET binlog_transaction_compression=ON;
SET time_zone='+09:00';
UPDATE t SET ts='2024-07-01 12:34:56';
INSERT INTO t VALUES (2,'2001-02-03 04:05:06');
