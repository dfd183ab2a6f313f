UPDATE t SET v=5 WHERE id=2;
-- refused
ALTER TABLE t ADD w INT DEFAULT 3;
-- halted
UPDATE t SET w=4 WHERE id=1;
-- skip
-- resume
INSERT INTO t VALUES (3,3,9);
