-- refused-unequal
INSERT INTO t VALUES (1,-1);
-- halted
INSERT INTO t VALUES (2,-2);
-- target: ALTER TABLE t DROP CHECK positive
-- resume
UPDATE t SET v=v-1;
