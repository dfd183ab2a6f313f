SET time_zone='-05:30';
INSERT INTO plain VALUES (1,'2024-11-03 12:00:00');
INSERT INTO clock VALUES (1,'2024-11-03 12:00:00');
-- refused
SET time_zone='+00:00';
INSERT INTO zoned VALUES (1,'2024-11-03 12:00:00');
SET time_zone='-05:30';
-- # No duplicate: in this session the expression has another value for the same moment.
INSERT INTO zoned VALUES (2,'2024-11-03 06:30:00');
-- halted
-- target: ALTER TABLE zoned DROP KEY k
-- resume
DELETE FROM zoned WHERE id=2;
SET time_zone='+00:00';
UPDATE zoned SET ts='2024-11-03 06:30:01' WHERE id=1;
-- # At cutover.
-- target: ALTER TABLE zoned ADD UNIQUE k ((SHA2(ts,256)))
