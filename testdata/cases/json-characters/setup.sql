CREATE TABLE j (id INT PRIMARY KEY, j JSON);
INSERT INTO j VALUES (1,JSON_OBJECT('k',CONCAT('<>&\'"\\/',CHAR(8),CHAR(9),CHAR(10),CHAR(12),CHAR(13),CHAR(1),CHAR(31),CHAR(127)))),(2,'"\\u2028\\u2029\\u0000🙂"'),(3,'{"a":1,"a":2,"bb":1,"c":{"z":1,"y":2}}'),(4,JSON_OBJECT('k"\\q.$[0]',1,'🙂',2));
