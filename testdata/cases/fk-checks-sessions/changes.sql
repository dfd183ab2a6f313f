DELETE FROM p WHERE id = 1;
-- session: 2
SET foreign_key_checks = 0;
DELETE FROM p WHERE id = 2;
INSERT INTO c VALUES (9, 99);
-- session: 1
UPDATE p SET id = 30 WHERE id = 3;
-- session: 2
UPDATE p SET id = 40 WHERE id = 4;
-- session: 1
BEGIN;
DELETE FROM p WHERE id = 5;
SET foreign_key_checks = 0;
INSERT INTO c VALUES (6, 66);
SET foreign_key_checks = 1;
INSERT INTO p VALUES (66);
DELETE FROM p WHERE id = 66;
COMMIT;
