CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1,1);
-- refused
ALTER TABLE t ADD COLUMN IF NOT EXISTS w INT DEFAULT 5;
-- halted
-- config: ddl: {rules: [{match: {kind: "ALTER TABLE", table: "${schema}.t"}, do: rewrite, with: "ALTER TABLE t ADD COLUMN w INT DEFAULT 5"}]}
-- resume
INSERT INTO t VALUES (2,2,2);
