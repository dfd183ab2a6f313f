SET sql_mode = 'ORACLE';
-- refused
CREATE TABLE t (id INT PRIMARY KEY);
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE", table: "${schema}.t"}, do: skip}]}
-- target: CREATE TABLE t (id INT PRIMARY KEY)
-- resume
SET sql_mode = '';
INSERT INTO t VALUES (1);
