-- refused
DO NEXTVAL(s);
-- halted
-- config: exclude: ["${schema}.s"]
-- resume
INSERT INTO t VALUES (NEXTVAL(s),1),(NEXTVAL(s),2),(NEXTVAL(s),3);
BEGIN;
INSERT INTO t VALUES (NEXTVAL(s),4);
INSERT INTO t VALUES (NEXTVAL(s),5);
DELETE FROM t WHERE v=1;
COMMIT;
