CREATE TABLE o (id INT PRIMARY KEY);
-- refused
CREATE TABLE t (id UUID PRIMARY KEY, v INT);
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE", table: "${schema}.t"}, do: rewrite, with: "CREATE TABLE t (id BINARY(16) PRIMARY KEY, v INT)"}]}
-- resume
INSERT INTO t VALUES ('11223344-5566-1788-99aa-bbccddeeff00',1);
UPDATE t SET v=2;
ALTER TABLE t MODIFY id BINARY(16);
