SET sql_generate_invisible_primary_key=ON;
CREATE TABLE g (v INT, h INT INVISIBLE DEFAULT 7);
SET sql_generate_invisible_primary_key=OFF;
CREATE TABLE i (id INT PRIMARY KEY INVISIBLE, v INT, w INT INVISIBLE);
INSERT INTO g (v) VALUES (1),(1),(2);
INSERT INTO i (id,v,w) VALUES (1,2,3),(2,2,NULL);
