-- refused-unequal
INSERT INTO t VALUES (1,'0123456789');
