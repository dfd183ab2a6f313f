CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1,1);
-- refused
CREATE TABLE a (id INT PRIMARY KEY, v CHAR(36) DEFAULT UUID());
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE"}, do: rewrite, with: "CREATE TABLE a (id INT PRIMARY KEY, v CHAR(36) DEFAULT (UUID()))"}]}
-- resume
INSERT INTO a (id) VALUES (1),(2);
UPDATE a SET v='x' WHERE id=1;
ALTER TABLE a ALTER v DROP DEFAULT;
