CREATE TABLE p (id INT PRIMARY KEY, a JSON);
INSERT INTO p VALUES (1,'{"x":1,"y":[1,2,3],"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}');
