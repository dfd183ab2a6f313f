CREATE TABLE e (e ENUM('1','0','zwei','日本','É') PRIMARY KEY, v INT);
CREATE TABLE s (id INT PRIMARY KEY, s SET('a','b','ü','日'), big SET('m01','m02','m03','m04','m05','m06','m07','m08','m09','m10','m11','m12','m13','m14','m15','m16','m17','m18','m19','m20','m21','m22','m23','m24','m25','m26','m27','m28','m29','m30','m31','m32','m33','m34','m35','m36','m37','m38','m39','m40','m41','m42','m43','m44','m45','m46','m47','m48','m49','m50','m51','m52','m53','m54','m55','m56','m57','m58','m59','m60','m61','m62','m63','m64'));
CREATE TABLE k (e ENUM('x','y') , s SET('p','q'));
INSERT INTO e VALUES ('1',1),('0',2),('日本',3),('É',4);
INSERT INTO s VALUES (1,'',~0),(2,'a,日',9223372036854775808),(3,'ü',1),(4,NULL,NULL);
INSERT INTO k VALUES ('x','p,q'),('x','p,q'),('y',''),(NULL,NULL);
