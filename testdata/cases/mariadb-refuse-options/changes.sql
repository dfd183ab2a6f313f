CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1,1);
-- refused
CREATE TABLE a (id INT PRIMARY KEY, v INT) PAGE_COMPRESSED=1;
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE"}, do: rewrite, with: "CREATE TABLE a (id INT PRIMARY KEY, v INT)"}]}
-- resume
INSERT INTO a VALUES (1,1);
UPDATE a SET v=3;
