UPDATE t SET note='kept' WHERE id=1;
SET div_precision_increment=9;
FLUSH LOCAL TABLES t;
-- refused
UPDATE t SET a=5 WHERE id=2;
-- halted
-- target: ALTER TABLE t MODIFY q VARCHAR(40) NULL
-- resume
INSERT INTO t (id,a,b) VALUES (3,4,3);
-- # Only so that the definitions can be compared: the values stay.
ALTER TABLE t MODIFY q VARCHAR(40) NULL;
