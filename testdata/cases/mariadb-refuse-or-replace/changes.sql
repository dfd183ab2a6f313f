CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1,1);
-- refused
CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, w INT);
-- halted
-- target: DROP TABLE t
-- config: ddl: {rules: [{match: {statement: "create or replace table *"}, do: rewrite, with: "CREATE TABLE t (id INT PRIMARY KEY, w INT)"}]}
-- resume
INSERT INTO t VALUES (5,5);
