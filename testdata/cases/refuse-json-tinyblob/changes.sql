-- refused
INSERT INTO j SELECT 1, JSON_OBJECT('b',b) FROM b;
-- halted
INSERT INTO j VALUES (2,'{}');
-- # what a transaction by hand can do: the same statement
-- target: INSERT INTO j SELECT 1, JSON_OBJECT('b',b) FROM b
-- skip
-- resume
INSERT INTO j VALUES (3,'[1]');
