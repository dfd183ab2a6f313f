SET GLOBAL log_bin_use_v1_row_events = 1;
-- session: 2
INSERT INTO t VALUES (4,4,NULL);
UPDATE t SET v = v + 10 WHERE id < 3;
DELETE FROM t WHERE id = 3;
UPDATE k SET v = 9 WHERE v = 1 LIMIT 1;
DELETE FROM k WHERE v = 2;
-- session: 1
SET GLOBAL log_bin_use_v1_row_events = 0;
-- session: 3
UPDATE t SET s = 'z' WHERE id = 4;
