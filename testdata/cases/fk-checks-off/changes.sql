SET foreign_key_checks=0;
DELETE FROM p WHERE id=1;
INSERT INTO c VALUES (3,77);
-- session: 2
DELETE FROM p WHERE id=2;
