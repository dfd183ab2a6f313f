SET lc_time_names='de_DE', timestamp=1583020800;
ALTER TABLE t ADD m VARCHAR(20) CHARACTER SET utf8mb4 DEFAULT (MONTHNAME(NOW()));
CREATE TABLE u (id INT, c BIGINT DEFAULT (CONNECTION_ID()));
INSERT INTO u (id) VALUES (1);
-- refused
ALTER TABLE t ADD c BIGINT DEFAULT (CONNECTION_ID());
-- halted
-- config: ddl: {rules: [{match: {kind: "ALTER TABLE", statement: "*connection_id*"}, do: skip}]}
-- target: ALTER TABLE t ADD c BIGINT DEFAULT (CONNECTION_ID())
-- resume
UPDATE t SET c=5;
