/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE t (id INT PRIMARY KEY);
