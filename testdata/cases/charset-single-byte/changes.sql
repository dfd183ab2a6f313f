INSERT INTO s SELECT 2,a,b,c,d,e,f,g,h,i,j,k,l,m,n FROM s;
UPDATE s SET a=CONCAT(a,'x') WHERE id=1;
