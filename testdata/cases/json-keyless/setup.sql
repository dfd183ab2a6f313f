CREATE TABLE j (j JSON, v INT);
INSERT INTO j VALUES ('null',1),(NULL,2),('{"b":1,"a":2}',3),('{"b":1,"a":2}',4),('[]',5),('""',6),('{"d":1}',7),('{"d":1.0}',7);
