-- target: SET GLOBAL lc_time_names='de_DE'
-- target: SET GLOBAL default_week_format=3
-- target: SET GLOBAL div_precision_increment=9
-- target: SET GLOBAL block_encryption_mode='aes-256-cbc'
-- restart daemon
CREATE TABLE t (id INT PRIMARY KEY, d DATE, a INT, b INT,
  m VARCHAR(20) AS (MONTHNAME(d)) STORED, w INT AS (WEEK(d)) STORED, q VARCHAR(40) AS (a/b) STORED, f VARCHAR(60) AS (DATE_FORMAT(d,'%W %M')) STORED,
  UNIQUE (q, id));
INSERT INTO t (id,d,a,b) VALUES (1,'2024-03-01',1,3),(2,'2023-01-01',2,3);
