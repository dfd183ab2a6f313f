-- refused
UPDATE p SET id = 10 WHERE id = 1;
-- halted
-- target: ALTER TABLE g DROP FOREIGN KEY g_ibfk_1
-- target: UPDATE g SET p = 10 WHERE p = 1
-- resume
-- await
-- target: ALTER TABLE g ADD CONSTRAINT g_ibfk_1 FOREIGN KEY (p, c) REFERENCES c (p, id) ON DELETE CASCADE ON UPDATE CASCADE
DELETE FROM c WHERE id = 12;
