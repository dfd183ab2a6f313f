UPDATE t SET v='shorter' WHERE id=1;
-- refused
INSERT IGNORE INTO t (id,v) VALUES (2,'longer than the column');
-- halted
-- target: ALTER TABLE t MODIFY g VARBINARY(8) NULL
-- resume
SET sql_mode='';
INSERT INTO t (id,v) VALUES (3,'longer than the column');
UPDATE t SET v='another long text' WHERE id=1;
-- # Only so that the definitions can be compared: the values stay.
ALTER TABLE t MODIFY g VARBINARY(8) NULL;
