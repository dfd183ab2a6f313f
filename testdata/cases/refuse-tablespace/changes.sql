-- refused
CREATE TABLESPACE ${schema}_ts ADD DATAFILE '${schema}_ts.ibd' ENGINE=InnoDB;
SET sql_log_bin=0;
DROP TABLESPACE ${schema}_ts;
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLESPACE"}, do: skip}]}
-- resume
SET sql_log_bin=1;
INSERT INTO t VALUES (1);
