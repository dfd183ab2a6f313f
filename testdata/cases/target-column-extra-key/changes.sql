BEGIN;
UPDATE p SET u=9 WHERE id=1;
UPDATE p SET u=1 WHERE id=2;
UPDATE p SET u=2 WHERE id=1;
UPDATE p SET id=8 WHERE id=3;
UPDATE p SET id=3 WHERE id=2;
COMMIT;
DELETE FROM p WHERE id=1;
INSERT INTO p VALUES (1,5,5);
BEGIN;
UPDATE q SET sku='c' WHERE id=1;
UPDATE q SET sku='a' WHERE id=2;
UPDATE q SET sku='b' WHERE id=1;
UPDATE q SET id=7 WHERE id=3;
COMMIT;
DELETE FROM q WHERE id=2;
INSERT INTO q VALUES (3,'a',9);
BEGIN;
UPDATE r SET a=9 WHERE a=1;
UPDATE r SET a=1, b=5 WHERE a=2;
UPDATE r SET a=2 WHERE a=9;
COMMIT;
DELETE FROM r WHERE a=3;
INSERT INTO r VALUES (3,4);
BEGIN;
UPDATE f SET v=9 WHERE id=1;
UPDATE f SET v=1 WHERE id=2;
UPDATE f SET v=2 WHERE id=1;
COMMIT;
-- target-none: SELECT 1 FROM ${schema}.p WHERE shop<>4
-- target-none: SELECT COUNT(*) FROM ${schema}.q WHERE shop=1 HAVING COUNT(*)<>3
-- target-none: SELECT 1 FROM ${schema}.r x JOIN ${schema}.r y ON x.a=1 AND y.a=2 WHERE x.my_row_id<y.my_row_id
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
