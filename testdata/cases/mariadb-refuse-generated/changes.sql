UPDATE t SET j='{"a":6}' WHERE id=1;
UPDATE k SET n=3 LIMIT 1;
UPDATE t SET id=9 WHERE id=3;
-- refused
INSERT INTO t (id,j) VALUES (4,'{"a":1e3}');
-- halted
-- target: ALTER TABLE t MODIFY g VARCHAR(40) NULL
-- resume
UPDATE t SET j='{"a":{"b":1}}' WHERE id=1;
DELETE FROM k WHERE n=1;
-- # Only so that the definitions can be compared: the values stay.
ALTER TABLE t MODIFY g VARCHAR(40) NULL;
