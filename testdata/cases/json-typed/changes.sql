INSERT INTO j SELECT n,JSON_OBJECT('a',a,'b',b,'c',c,'e',e,'f',f,'g',g,'h',h,'i',i,'j',j,'k',k) FROM s;
INSERT INTO j SELECT n+10,CAST(k AS JSON) FROM s;
INSERT INTO d SELECT JSON_ARRAY(a,b,c,g,k),n FROM s;
INSERT INTO d SELECT JSON_ARRAY(b,a,c,g,k),n FROM s;
UPDATE j SET j=JSON_SET(j,'$.new',(SELECT i FROM s WHERE n=1)) WHERE id=1;
DELETE FROM d WHERE n=1 LIMIT 1;
UPDATE d SET n=3 WHERE n=2;
