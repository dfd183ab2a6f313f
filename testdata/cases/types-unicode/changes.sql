UPDATE u SET a=CONCAT(a,'🏳️‍🌈'), d='\0' WHERE id<3;
DELETE FROM u WHERE id=4;
