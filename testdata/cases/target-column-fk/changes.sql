UPDATE p SET b=201 WHERE id=2;
UPDATE p SET id=9 WHERE id=3;
BEGIN;
UPDATE c SET pid=2, pb=201 WHERE id=5;
DELETE FROM p WHERE id=1;
INSERT INTO p VALUES (1,11,101);
INSERT INTO c VALUES (1,1,101,6);
COMMIT;
SET foreign_key_checks=0;
DELETE FROM p WHERE id=2;
INSERT INTO c VALUES (7,77,777,7);
SET foreign_key_checks=1;
UPDATE p SET id=10, b=301 WHERE id=9;
-- target-none: SELECT 1 FROM ${schema}.p WHERE x<>4
-- target-none: SELECT 1 FROM ${schema}.c WHERE x<>5
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
