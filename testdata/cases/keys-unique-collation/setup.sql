CREATE TABLE u (id INT PRIMARY KEY, ci VARCHAR(20) COLLATE utf8mb4_0900_ai_ci UNIQUE, pad VARCHAR(20) COLLATE utf8mb4_general_ci UNIQUE, pre VARCHAR(20) COLLATE utf8mb4_unicode_ci, UNIQUE (pre(5)));
INSERT INTO u VALUES (1,'été','a','one'),(2,'zwei','b','two'),(3,'straße','pad','prefix');
