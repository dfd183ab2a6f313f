SET time_zone='-05:30';
UPDATE virtual_only SET ts='2024-12-03 22:30:00.1' WHERE id=1;
-- refused
INSERT INTO zoned (id, ts) VALUES (1,'2024-11-03 22:30:00.1');
-- halted
-- target: ALTER TABLE zoned MODIFY g DATE NULL
-- resume
SET time_zone='+09:00';
INSERT INTO zoned (id, ts) VALUES (2,'2024-11-03 22:30:00.1');
UPDATE zoned SET ts='2024-12-03 22:30:00.1' WHERE id=1;
-- # Only so that the definitions can be compared: the values stay.
ALTER TABLE zoned MODIFY g DATE NULL;
