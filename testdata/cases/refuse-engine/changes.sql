-- target: ALTER TABLE t ENGINE=MEMORY, ENCRYPTION='N'
-- refused-unequal
INSERT INTO t VALUES (1);
-- halted
INSERT INTO t VALUES (2);
-- target: ALTER TABLE t ENGINE=InnoDB
-- resume
DELETE FROM t WHERE id=1;
