SET sql_mode=CONCAT(@@sql_mode,',NO_AUTO_VALUE_ON_ZERO');
INSERT INTO a VALUES (0,'x');
UPDATE a SET v='y' WHERE id=0;
SET sql_mode=DEFAULT;
INSERT INTO a VALUES (0,'z'),(NULL,'n'),(-5,'m');
