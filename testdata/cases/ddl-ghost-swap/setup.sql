CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), u INT, UNIQUE (u));
INSERT INTO t (v,u) VALUES ('one',1),('two',2),('three',3),('four',4);
