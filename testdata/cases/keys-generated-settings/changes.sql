UPDATE t SET d='2024-10-31', a=5 WHERE id=1;
INSERT INTO t (id,d,a,b) VALUES (3,'2026-01-01',1,7),(4,'2021-12-31',NULL,7);
ALTER TABLE t ADD e DOUBLE AS (b/7) STORED, ADD g VARCHAR(20) DEFAULT (DAYNAME('2024-02-02'));
DELETE FROM t WHERE id=2;
UPDATE t SET b=9;
-- target: SET GLOBAL lc_time_names=DEFAULT
-- target: SET GLOBAL default_week_format=DEFAULT
-- target: SET GLOBAL div_precision_increment=DEFAULT
-- target: SET GLOBAL block_encryption_mode=DEFAULT
-- restart daemon
