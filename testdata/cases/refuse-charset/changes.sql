-- refused-unequal
INSERT INTO t VALUES (1,'日');
