-- refused-unequal
INSERT INTO t (id,v,w) VALUES (1,2,3);
