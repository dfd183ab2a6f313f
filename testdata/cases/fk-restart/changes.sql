UPDATE p SET id = 10 WHERE id = 1;
INSERT INTO c VALUES (10, 1);
-- restart daemon
DELETE FROM p WHERE id = 2;
INSERT INTO p VALUES (2, 22);
INSERT INTO c VALUES (2, 22), (2, 22);
-- restart daemon
DELETE FROM p WHERE id = 10;
UPDATE c SET n = 5 WHERE p = 2 LIMIT 1;
