CREATE TABLE d (s VARCHAR(9) COLLATE utf8mb4_0900_ai_ci, v INT);
INSERT INTO d VALUES ('Abc',1),('abc',1),('áBC',1),('abc ',1);
