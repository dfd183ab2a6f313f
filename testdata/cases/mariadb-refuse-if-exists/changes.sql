CREATE TABLE t (id INT PRIMARY KEY, v INT);
USE mysql;
-- refused
ALTER TABLE IF EXISTS ${schema}.t ADD w INT DEFAULT 5;
-- halted
-- config: ddl: {rules: [{match: {statement: "alter table if exists *"}, do: rewrite, with: "ALTER TABLE ${schema}.t ADD w INT DEFAULT 5"}]}
-- resume
INSERT INTO ${schema}.t VALUES (1,1,1);
