-- refused
CREATE TRIGGER pt_osc_del AFTER DELETE ON t FOR EACH ROW DELETE IGNORE FROM _t_new WHERE _t_new.id <=> OLD.id;
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TRIGGER", table: "${schema}.pt_osc_del"}, do: skip}]}
-- resume
INSERT INTO t VALUES (2);
