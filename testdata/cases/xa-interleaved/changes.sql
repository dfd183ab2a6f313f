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
FLUSH BINARY LOGS;
-- # MySQL only.
SET @x=1 /*!50701 , SESSION binlog_transaction_compression=ON */;
XA START 'three';
INSERT INTO beside VALUES (3,3);
XA END 'three';
XA PREPARE 'three';
-- # A session of MariaDB decides what it has prepared before it does anything else.
-- session: 2
XA COMMIT 'two';
UPDATE t SET v='behind two' WHERE id=20;
FLUSH BINARY LOGS;
-- session: 1
XA COMMIT 'one';
INSERT INTO k VALUES (1);
-- session: 3
XA ROLLBACK 'three';
INSERT INTO beside VALUES (3,4);
