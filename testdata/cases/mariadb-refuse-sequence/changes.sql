CREATE TABLE t (id INT PRIMARY KEY, v INT);
-- refused
CREATE SEQUENCE s CACHE 2;
-- halted
-- config: exclude: ["${schema}.s"]
-- config: ddl: {rules: [{match: {kind: "* SEQUENCE"}, do: skip}]}
-- resume
INSERT INTO t VALUES (NEXTVAL(s),1),(NEXTVAL(s),2);
INSERT INTO t VALUES (NEXTVAL(s),3);
DO SETVAL(s,100);
ALTER SEQUENCE s RESTART 50;
INSERT INTO t VALUES (NEXTVAL(s),4);
DROP SEQUENCE s;
DELETE FROM t WHERE v=1;
