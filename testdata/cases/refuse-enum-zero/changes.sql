-- refused
SET sql_mode='';
INSERT IGNORE INTO e VALUES (3,'nope');
-- halted
-- target: SET sql_mode=''; INSERT IGNORE INTO e VALUES (3,'nope')
-- skip
-- resume
UPDATE e SET id=id+10 WHERE id<3;
UPDATE e SET e='a' WHERE id=3;
