-- refused-unequal
INSERT INTO t VALUES (1,'日');
-- halted
UPDATE t SET v='本' WHERE id=1;
-- target: ALTER TABLE t MODIFY v VARCHAR(5) CHARACTER SET utf8mb4
-- resume
INSERT INTO t VALUES (2,'語');
