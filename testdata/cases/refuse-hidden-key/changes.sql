SET sql_generate_invisible_primary_key=ON;
CREATE TABLE t (v INT);
INSERT INTO t VALUES (1);
-- target: SET GLOBAL show_gipk_in_create_table_and_information_schema=OFF
-- restart daemon
-- refused
INSERT INTO t VALUES (2);
-- halted
INSERT INTO t VALUES (3);
-- target: SET GLOBAL show_gipk_in_create_table_and_information_schema=ON
-- resume
UPDATE t SET v=v+1;
