XA START 'x';
INSERT INTO t VALUES (9,9);
XA END 'x';
XA PREPARE 'x';
-- session: 2
INSERT INTO t VALUES (2,2);
-- refused
SET binlog_format=STATEMENT;
UPDATE t SET v=3 WHERE id=2;
-- halted
SET binlog_format=ROW;
INSERT INTO t VALUES (3,4);
-- target: UPDATE t SET v=3 WHERE id=2
-- skip
-- resume
UPDATE t SET v=v+1 WHERE id=2;
-- await
-- restart daemon
-- session: 1
XA COMMIT 'x';
UPDATE t SET v=v+1;
