-- refused
CREATE TABLE t_v2 (id INT PRIMARY KEY);
