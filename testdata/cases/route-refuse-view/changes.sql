CREATE VIEW other AS SELECT 1 AS one;
-- refused
CREATE VIEW v AS SELECT id FROM t;
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE VIEW", table: "${schema}.v"}, do: skip}]}
-- target: CREATE DEFINER='applier'@'%' VIEW v AS SELECT id FROM t_v2
-- resume
DROP VIEW v;
INSERT INTO t VALUES (2);
