-- target: CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO audit VALUES (NEW.id)
-- refused
INSERT INTO t VALUES (1);
-- halted
-- target: DROP TRIGGER tr
-- resume
INSERT INTO t VALUES (2);
