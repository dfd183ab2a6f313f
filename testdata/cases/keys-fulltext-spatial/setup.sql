CREATE TABLE f (id INT PRIMARY KEY, t TEXT, g POINT NOT NULL SRID 0, FULLTEXT (t), SPATIAL INDEX (g));
CREATE TABLE k (t VARCHAR(50), FULLTEXT ft (t));
INSERT INTO f VALUES (1,'quick brown',ST_GeomFromText('POINT(1 1)')),(2,'fox',ST_GeomFromText('POINT(2 2)'));
INSERT INTO k VALUES ('same words'),('same words');
