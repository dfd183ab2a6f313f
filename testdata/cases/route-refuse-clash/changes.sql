-- refused
CREATE TABLE t_v2 (id INT PRIMARY KEY);
-- halted
INSERT INTO t VALUES (1);
-- config: exclude: ["${schema}.t_v2"]
-- resume
DROP TABLE t_v2;
INSERT INTO t VALUES (2);
