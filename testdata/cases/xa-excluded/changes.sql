CREATE TABLE IF NOT EXISTS other_xa.x (id INT PRIMARY KEY);
XA START 'only';
INSERT INTO other_xa.x VALUES (1);
XA END 'only';
XA PREPARE 'only';
-- session: 2
INSERT INTO t VALUES (1,'a');
-- session: 1
XA COMMIT 'only';
XA START 'both';
INSERT INTO other_xa.x VALUES (2);
UPDATE t SET v='b';
XA END 'both';
XA PREPARE 'both';
-- await
-- restart daemon
XA COMMIT 'both';
DROP DATABASE other_xa;
