INSERT INTO t VALUES (2,2);
-- refused
SET binlog_format=STATEMENT;
UPDATE t SET v=3;
