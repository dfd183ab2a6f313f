-- refused-unequal
UPDATE t SET v=2;
