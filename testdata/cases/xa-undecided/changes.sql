INSERT INTO t VALUES (1,'a'),(20,'b');
XA START 'x';
UPDATE t SET v='never' WHERE id=1;
XA END 'x';
XA PREPARE 'x';
-- await
-- session: 2
UPDATE t SET v='c' WHERE id=20;
INSERT INTO k VALUES (1);
-- await
CREATE TABLE beside (id INT PRIMARY KEY);
INSERT INTO beside VALUES (1);
-- await
-- restart daemon
INSERT INTO beside VALUES (2);
-- await
-- session: 1
XA ROLLBACK 'x';
