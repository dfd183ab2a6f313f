CREATE TABLE e (a ENUM('z','a'), b SET('q','p'), v INT, PRIMARY KEY (a,b));
INSERT INTO e VALUES ('z','q',1),('a','q,p',2),('z','',3);
