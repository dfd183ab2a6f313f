-- refused-unequal
INSERT INTO t VALUES (2,2,2);
