-- refused
SET sql_mode='';
INSERT IGNORE INTO e VALUES (3,'nope');
