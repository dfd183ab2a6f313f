-- refused
ALTER TABLE k ADD id INT AUTO_INCREMENT PRIMARY KEY;
-- halted
-- # the table as the source has it now
-- target: ALTER TABLE k ADD id INT AUTO_INCREMENT PRIMARY KEY
-- target: DELETE FROM k
-- target: INSERT INTO k (v,id) VALUES (3,1),(1,2),(2,3)
-- skip
-- resume
DELETE FROM k WHERE id=2;
INSERT INTO k (v) VALUES (9);
