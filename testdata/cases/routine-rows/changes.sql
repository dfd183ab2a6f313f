SET sql_log_bin=0;
CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO audit (id) VALUES (NEW.id);
SET sql_log_bin=1;
INSERT INTO t VALUES (1),(2);
SET sql_log_bin=0;
DROP TRIGGER tr;
SET sql_log_bin=1;
INSERT INTO t VALUES (3);
