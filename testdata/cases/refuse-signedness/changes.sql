-- refused-unequal
INSERT INTO t VALUES (1,4294967295);
