-- refused
CREATE TABLESPACE ${schema}_ts ADD DATAFILE '${schema}_ts.ibd' ENGINE=InnoDB;
SET sql_log_bin=0;
DROP TABLESPACE ${schema}_ts;
