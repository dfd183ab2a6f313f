INSERT INTO t VALUES (1,1);
-- session: 2
SET gtid_domain_id=4000000000;
INSERT INTO t VALUES (2,2);
INSERT INTO k VALUES (1,'x'),(1,'x');
-- session: 3
SET gtid_domain_id=9;
SET server_id=77;
INSERT INTO t VALUES (3,3);
INSERT INTO k VALUES (1,'x');
-- session: 2
BEGIN;
UPDATE t SET v=v+10 WHERE id=2;
-- session: 3
UPDATE t SET v=v+100 WHERE id=3;
-- restart daemon
-- session: 2
COMMIT;
-- session: 1
DELETE FROM k WHERE v=1 LIMIT 1;
-- restart daemon
-- session: 3
SET gtid_seq_no=5000000000;
INSERT INTO k VALUES (2,'y');
ALTER TABLE t ADD u INT DEFAULT 5;
-- session: 2
INSERT INTO t VALUES (4,4,4);
-- session: 1
FLUSH BINARY LOGS;
DELETE FROM t WHERE id=1;
-- restart daemon
-- session: 3
UPDATE t SET u=6;
INSERT INTO k VALUES (2,'y');
