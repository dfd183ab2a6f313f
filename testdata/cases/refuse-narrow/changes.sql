-- refused-unequal
INSERT INTO t VALUES (1,'0123456789');
-- halted
-- target: ALTER TABLE t MODIFY v VARCHAR(50)
-- resume
INSERT INTO t VALUES (2,REPEAT('x',50));
