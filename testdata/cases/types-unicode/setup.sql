CREATE TABLE u (id INT PRIMARY KEY, a VARCHAR(50), b VARCHAR(50) CHARACTER SET utf8mb3, c VARCHAR(50) CHARACTER SET ascii, d TEXT COLLATE utf8mb4_bin);
INSERT INTO u VALUES (1,'🙂𝒳','日本','ascii','é'),(2,CONCAT('e',_utf8mb4 0xCC81),'ẞ','~',_utf8mb4 0x00),(3,'','','',''),(4,NULL,NULL,NULL,NULL);
