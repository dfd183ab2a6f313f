INSERT INTO j SELECT 1, JSON_OBJECT('t',ts,'b',b,'x',x) FROM s;
UPDATE j SET j=JSON_SET(j,'$.n',1);
