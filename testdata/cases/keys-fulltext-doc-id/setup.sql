CREATE TABLE d (FTS_DOC_ID BIGINT UNSIGNED NOT NULL PRIMARY KEY, u INT UNIQUE, j JSON, body TEXT, FULLTEXT (body));
INSERT INTO d VALUES (1,1,'1','one'),(2,2,'2','two'),(3,3,'3','three'),(4,4,'4','four'),(9,9,'9','nine');
