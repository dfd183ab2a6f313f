SET GLOBAL mysql56_temporal_format=OFF;
CREATE TABLE t (id INT PRIMARY KEY, s TIMESTAMP(6) NULL);
SET GLOBAL mysql56_temporal_format=ON;
