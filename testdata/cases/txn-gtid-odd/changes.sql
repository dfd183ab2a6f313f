SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:7';
INSERT INTO t VALUES (1,1);
SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:3';
UPDATE t SET v=2;
SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeee00:some_tag:9';
UPDATE t SET v=v+3;
SET gtid_next='AUTOMATIC:tagged';
INSERT INTO k VALUES (1),(1);
SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:5';
BEGIN;
COMMIT;
SET gtid_next='AUTOMATIC';
-- restart daemon
INSERT INTO k VALUES (1);
SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:4';
CREATE TABLE late (id INT PRIMARY KEY);
SET gtid_next='AUTOMATIC';
INSERT INTO late VALUES (1);
