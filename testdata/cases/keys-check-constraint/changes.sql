-- expect-error
INSERT INTO c VALUES (2,0,1);
UPDATE c SET a=NULL, b=999;
