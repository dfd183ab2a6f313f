BEGIN;
UPDATE t SET v=10 WHERE id=1;
-- session: 2
BEGIN;
UPDATE t SET v=20 WHERE id=2;
INSERT INTO t VALUES (3,3);
-- session: 1
COMMIT;
-- session: 2
COMMIT;
-- session: 1
UPDATE t SET v=v+1;
