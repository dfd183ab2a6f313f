-- refused
CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;
INSERT INTO m VALUES (1);
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE", table: "${schema}.m"}, do: rewrite, with: CREATE TABLE m (id INT PRIMARY KEY)}]}
-- resume
ALTER TABLE m ENGINE=InnoDB;
INSERT INTO m VALUES (2);
