LOAD DATA INFILE './auto.cnf' INTO TABLE l (v);
LOAD DATA INFILE './auto.cnf' INTO TABLE l CHARACTER SET latin1 FIELDS TERMINATED BY '=' (v, @x) SET w=REVERSE(@x);
LOAD DATA INFILE './auto.cnf' IGNORE INTO TABLE t FIELDS TERMINATED BY 'u' (@x, v) SET id=LENGTH(@x);
LOAD DATA INFILE './auto.cnf' REPLACE INTO TABLE t (@x) SET id=4, v=@x;
INSERT IGNORE INTO t VALUES (1,'again'),(50,'new'),(2,'again');
-- expect-error
INSERT INTO t VALUES (60,'a'),(1,'dup'),(61,'b');
INSERT INTO t SELECT id+100, v FROM t;
INSERT INTO t VALUES (1,'x'),(200,'y') AS n ON DUPLICATE KEY UPDATE v=n.v, id=t.id+1000;
UPDATE IGNORE t SET id=50 WHERE id IN (2,3);
DELETE a FROM t a JOIN t b ON a.id=b.id+100;
