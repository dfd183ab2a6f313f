CREATE TABLE p (id INT PRIMARY KEY, a JSON, u INT UNIQUE, t VARCHAR(9));
INSERT INTO p VALUES (1,JSON_OBJECT('x',1,'y',JSON_ARRAY(1,2,3),'pad',REPEAT('a',200)),1,'a'),(2,JSON_OBJECT('x',2,'y',JSON_ARRAY(),'pad',REPEAT('b',200)),2,'b'),
 (3,JSON_OBJECT('x',3,'y',JSON_ARRAY('p'),'pad',REPEAT('c',200)),3,'c'),(4,JSON_OBJECT('x',4,'y',JSON_ARRAY(NULL),'pad',REPEAT('d',200)),4,'d'),(5,NULL,5,'e');
