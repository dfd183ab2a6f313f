-- refused-unequal
INSERT INTO t (id,v,w) VALUES (1,2,'3');
-- halted
-- target: ALTER TABLE t MODIFY w VARCHAR(10) AFTER v
-- resume
INSERT INTO t (id,v,w) VALUES (2,4,'5');
