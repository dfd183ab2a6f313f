INSERT INTO t VALUES (2,2);
-- refused
SET binlog_format=STATEMENT;
UPDATE t SET v=3;
-- halted
SET binlog_format=ROW;
INSERT INTO t VALUES (3,4);
-- target: UPDATE t SET v=3
-- skip
-- resume
UPDATE t SET v=v+1;
