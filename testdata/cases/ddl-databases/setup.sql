CREATE DATABASE ${schema}_two CHARACTER SET latin1 COLLATE latin1_bin;
CREATE TABLE ${schema}_two.t (id INT PRIMARY KEY, s VARCHAR(9));
