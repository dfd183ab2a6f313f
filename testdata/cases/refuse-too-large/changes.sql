INSERT INTO t VALUES (1,'small'),(2,'small');
-- target: SET GLOBAL max_allowed_packet=1048576
-- restart daemon
-- refused
UPDATE t SET v=REPEAT('x',3000000) WHERE id=2;
-- halted
INSERT INTO t VALUES (3,REPEAT('y',3000000));
-- target: SET GLOBAL max_allowed_packet=67108864
-- resume
UPDATE t SET v=CONCAT(v,'z');
