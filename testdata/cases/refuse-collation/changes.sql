-- refused-unequal
INSERT INTO t VALUES ('a',1),('A',2);
-- halted
UPDATE t SET v=3 WHERE k='A';
-- target: ALTER TABLE t MODIFY k VARCHAR(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
-- resume
INSERT INTO t VALUES ('b',1),('B',2);
