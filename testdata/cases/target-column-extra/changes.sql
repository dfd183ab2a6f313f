BEGIN;
UPDATE t SET u=9 WHERE id=1;
UPDATE t SET u=1 WHERE id=2;
UPDATE t SET u=2 WHERE id=1;
COMMIT;
UPDATE t SET id=10, a=5 WHERE id=4;
INSERT INTO t VALUES (5,5,5),(6,6,6);
DELETE FROM t WHERE id=6;
UPDATE t SET a=NULL WHERE id=5;
UPDATE n SET b=2 WHERE a=2;
DELETE FROM n WHERE a=1 LIMIT 1;
INSERT INTO n VALUES (3,3);
BEGIN;
UPDATE g SET u=9 WHERE id=1;
UPDATE g SET u=1, a=7 WHERE id=2;
UPDATE g SET u=2 WHERE id=1;
COMMIT;
UPDATE g SET id=9 WHERE id=3;
REPLACE INTO e VALUES (1,2),(2,3);
-- target-none: SELECT 1 FROM ${schema}.t WHERE d<>7 OR twice IS NOT NULL AND twice<>a*2 OR (seen IS NULL) <> (id=3)
-- target-none: SELECT 1 FROM ${schema}.t WHERE id IN (1,2,3,10) AND (x<>CONCAT('row ', IF(id=10,4,id)) OR y->'$.id'<>IF(id=10,4,id) OR tag<>IF(id=10,4,id) OR made<>'2024-02-29 12:00:00')
-- target-none: SELECT 1 FROM ${schema}.t WHERE id=5 AND (x IS NOT NULL OR y IS NOT NULL OR made<'2025-01-01' OR LENGTH(tag)<>36)
-- target-none: SELECT COUNT(*), COUNT(DISTINCT no), MIN(no) FROM ${schema}.t HAVING COUNT(DISTINCT no)<>5 OR MIN(no)<1
-- target-none: SELECT 1 FROM ${schema}.n WHERE d<>3 OR NOT x<=>IF(a=3,NULL,a*100)
-- target-none: SELECT 1 FROM ${schema}.g WHERE thrice<>a*3 OR NOT s<=>CONCAT('s', u)
-- target-none: SELECT 1 FROM ${schema}.e WHERE w<>v+1 OR x IS NULL
SET @names=0 /*M!100500 , GLOBAL binlog_row_metadata=NO_LOG */;
