DROP TABLE IF EXISTS a, nowhere, b;
-- expect-error
DROP TABLE c, nowhere;
SET foreign_key_checks=0;
DROP TABLE parent;
SET foreign_key_checks=1;
CREATE TABLE parent (id INT PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE DATABASE ${schema}_gone;
CREATE TABLE ${schema}_gone.x (id INT PRIMARY KEY);
INSERT INTO ${schema}_gone.x VALUES (1);
DROP DATABASE ${schema}_gone;
DROP DATABASE IF EXISTS ${schema}_gone;
CREATE TABLE IF NOT EXISTS c (other INT);
INSERT INTO c VALUES (2);
CREATE TABLE a (v VARCHAR(5));
INSERT INTO a VALUES ('new');
