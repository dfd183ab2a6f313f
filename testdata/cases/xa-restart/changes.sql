XA START 'x';
INSERT INTO k VALUES (1),(1);
INSERT INTO t VALUES (1,'x');
XA END 'x';
XA PREPARE 'x';
-- await
-- restart daemon
-- session: 2
INSERT INTO k VALUES (2);
INSERT INTO k VALUES (3),(3);
-- await
-- restart daemon
FLUSH BINARY LOGS;
INSERT INTO k VALUES (2);
-- session: 1
XA COMMIT 'x';
-- restart daemon
DELETE FROM k WHERE v=1 LIMIT 1;
UPDATE t SET v='y';
