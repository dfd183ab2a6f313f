-- refused
UPDATE t SET id=7 WHERE id=2;
-- halted
INSERT INTO t VALUES (3,3,STRING_TO_VECTOR('[1,2]'));
-- target: UPDATE t SET id=7 WHERE id=2
-- skip
-- resume
UPDATE t SET v=STRING_TO_VECTOR('[3]'), id=id+10;
