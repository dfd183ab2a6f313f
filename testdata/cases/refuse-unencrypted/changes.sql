-- refused
CREATE TABLE n (id INT PRIMARY KEY) ENCRYPTION='N';
-- halted
-- config: at_rest: {require: skip}
-- resume
INSERT INTO n VALUES (1);
