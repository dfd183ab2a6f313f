-- refused-unequal
UPDATE t SET v=2;
-- halted
INSERT INTO t VALUES (2,2);
-- target: INSERT INTO t VALUES (1,1)
-- resume
UPDATE t SET v=v+1;
