INSERT INTO t VALUES (1,'a'),(20,'b');
XA START 'one';
UPDATE t SET v='one' WHERE id=1;
XA END 'one';
XA PREPARE 'one';
-- session: 2
XA START 'two';
UPDATE t SET v='two' WHERE id=20;
INSERT INTO k VALUES (2);
XA END 'two';
XA PREPARE 'two';
-- session: 3
INSERT INTO k VALUES (3),(3);
CREATE TABLE beside (id INT PRIMARY KEY);
INSERT INTO beside VALUES (1);
ALTER TABLE beside ADD COLUMN v INT;
SET SESSION binlog_transaction_compression=ON;
XA START 'three';
INSERT INTO beside VALUES (3,3);
XA END 'three';
XA PREPARE 'three';
FLUSH BINARY LOGS;
XA COMMIT 'two';
UPDATE t SET v='behind two' WHERE id=20;
XA COMMIT 'one';
INSERT INTO k VALUES (1);
XA ROLLBACK 'three';
INSERT INTO beside VALUES (3,4);
