CREATE TABLE p (id INT PRIMARY KEY, a JSON NOT NULL, n INT);
INSERT INTO p VALUES (1,'{"x":1,"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}',0);
SET sql_log_bin=0;
UPDATE p SET a=JSON_SET(a,'$.y',JSON_ARRAY(1,2,3));
SET sql_log_bin=1;
