CREATE USER IF NOT EXISTS ${schema}_u@localhost IDENTIFIED BY 'secret';
GRANT SELECT ON ${schema}.* TO ${schema}_u@localhost;
DROP USER ${schema}_u@localhost;
INSERT INTO t VALUES (1);
