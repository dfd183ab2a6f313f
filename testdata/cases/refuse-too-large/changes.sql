INSERT INTO t VALUES (1,'small');
-- target: SET GLOBAL max_allowed_packet=1048576
-- restart daemon
-- refused
INSERT INTO t VALUES (2,REPEAT('x',3000000));
-- halted
INSERT INTO t VALUES (3,REPEAT('y',3000000));
-- target: SET GLOBAL max_allowed_packet=67108864
-- resume
UPDATE t SET v=CONCAT(v,'z');
