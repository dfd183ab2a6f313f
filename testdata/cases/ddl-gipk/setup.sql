SET sql_generate_invisible_primary_key=ON;
CREATE TABLE g (v INT);
INSERT INTO g (v) VALUES (1),(2);
