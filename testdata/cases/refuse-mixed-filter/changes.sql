-- refused
RENAME TABLE t TO other_db.t;
SET sql_log_bin=0;
DROP DATABASE other_db;
-- halted
-- config: ddl: {rules: [{match: {kind: "RENAME TABLE", table: "${schema}.t"}, do: skip}]}
-- target: DROP TABLE t
-- resume
SET sql_log_bin=1;
CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1,1);
