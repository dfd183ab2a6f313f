SET restrict_fk_on_non_standard_key=OFF;
-- refused
CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent(k));
-- halted
INSERT INTO child VALUES (1,7);
-- target: SET GLOBAL restrict_fk_on_non_standard_key=OFF
-- resume
DELETE FROM child;
-- target: SET GLOBAL restrict_fk_on_non_standard_key=ON
