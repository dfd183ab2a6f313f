CREATE TABLE c (id INT PRIMARY KEY, c CHAR(10), v VARCHAR(10), n VARCHAR(10) COLLATE utf8mb4_0900_ai_ci, p VARCHAR(10) COLLATE utf8mb4_general_ci, UNIQUE (n), KEY (p));
CREATE TABLE k (c CHAR(5), v VARCHAR(5));
INSERT INTO c VALUES (1,'a  ','a  ','a','a'),(2,'','  ','a ','a '),(3,'日本  ','日本 ','a  ','a  ');
INSERT INTO k VALUES ('a ','a '),('a','a'),('a','a ');
