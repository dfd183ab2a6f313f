SET innodb_strict_mode=OFF;
-- refused
CREATE TABLE t (id INT PRIMARY KEY, v INT) ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=9;
-- halted
INSERT INTO t VALUES (1,1);
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE", table: "${schema}.t"}, do: rewrite, with: "CREATE TABLE t (id INT PRIMARY KEY, v INT) ROW_FORMAT=DYNAMIC"}]}
-- resume
ALTER TABLE t KEY_BLOCK_SIZE=0;
UPDATE t SET v=2;
