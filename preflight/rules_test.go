package preflight

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/schema"
)

// goodSource is a source without findings; tests spoil one thing each.
func goodSource() *server {
	return &server{
		leg: "source", version: "9.7.4", user: "repl@%", tables: map[string]*table{"shop.orders": goodTable()},
		vars: map[string]string{
			"log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_value_options": "",
			"binlog_row_metadata": "FULL", "binlog_checksum": "CRC32", "gtid_mode": "ON",
			"binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "ON", "server_id": "1",
			"server_uuid": "a", "max_allowed_packet": "67108864", "lower_case_table_names": "0", "basedir": "/usr/",
		},
		grants: mustGrants("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `repl`@`%`"),
	}
}

// goodTarget is a target without findings.
func goodTarget() *server {
	return &server{
		leg: "target", version: "8.4.8", user: "applier@%", zones: map[string]bool{"UTC": true, "Europe/Berlin": true}, tables: map[string]*table{"shop.orders": goodTable()},
		vars: map[string]string{
			"read_only": "OFF", "super_read_only": "OFF", "innodb_read_only": "OFF", "require_secure_transport": "ON", "local_infile": "ON",
			"default_storage_engine": "InnoDB", "sql_require_primary_key": "OFF", "server_uuid": "b",
			"max_allowed_packet": "67108864", "lower_case_table_names": "0", "event_scheduler": "OFF",
			"default_table_encryption": "ON", "innodb_redo_log_encrypt": "ON", "innodb_undo_log_encrypt": "ON",
			"binlog_encryption": "OFF", "log_bin": "OFF",
		},
		grants: mustGrants(
			"GRANT ALL PRIVILEGES ON `binseal`.* TO `applier`@`%`",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER, EVENT ON `shop`.* TO `applier`@`%`"),
	}
}

func goodTable() *table {
	return &table{
		name: "shop.orders", source: schema.Name{Schema: "shop", Table: "orders"}, schema: "shop", base: "orders", engine: "InnoDB", encrypted: true, keyed: true, primary: true, keys: [][]string{{"id"}},
		columns: []column{
			{name: "id", dataType: "int", columnType: "int"},
			{name: "note", dataType: "varchar", columnType: "varchar(20)", charset: "utf8mb4", collation: "utf8mb4_0900_ai_ci"},
		},
	}
}

// mustRoute is a filter of all tables, and routes.
func mustRoute(rename map[string]string) (*schema.Filter, *schema.Routes) {
	filter, err := schema.NewFilter(schema.FilterConfig{})
	if err != nil {
		panic(err)
	}
	routes, err := schema.NewRoutes(rename)
	if err != nil {
		panic(err)
	}
	return filter, routes
}

func mustGrants(lines ...string) []grant {
	var out []grant
	for _, l := range lines {
		g, ok := parseGrant(l)
		if !ok {
			panic("not a grant on tables: " + l)
		}
		out = append(out, g)
	}
	return out
}

// found runs all rules and gives "severity CODE" of each finding.
func found(source, target *server, o Options) []string {
	if o.ServerID == 0 {
		o.ServerID = 4711
	}
	c := &checker{options: o}
	c.rules(source, target)
	out := []string{}
	for _, f := range c.report().Findings {
		out = append(out, string(f.Severity)+" "+f.Code)
	}
	return out
}

func TestRules(t *testing.T) {
	set := func(s *server, name, value string) { s.vars[name] = value }
	for name, test := range map[string]struct {
		spoil func(source, target *server, o *Options)
		want  []string
	}{
		"nothing is wrong":            {func(_, _ *server, _ *Options) {}, nil},
		"no binary log":               {func(s, _ *server, _ *Options) { set(s, "log_bin", "OFF") }, []string{"must SOURCE_LOG_BIN"}},
		"statements in the log":       {func(s, _ *server, _ *Options) { set(s, "binlog_format", "MIXED") }, []string{"must SOURCE_BINLOG_FORMAT"}},
		"a server that only has rows": {func(s, _ *server, _ *Options) { delete(s.vars, "binlog_format") }, nil},
		"minimal images":              {func(s, _ *server, _ *Options) { set(s, "binlog_row_image", "MINIMAL") }, []string{"warn SOURCE_ROW_IMAGE"}},
		"JSON in parts":               {func(s, _ *server, _ *Options) { set(s, "binlog_row_value_options", "PARTIAL_JSON") }, nil},
		"JSON in parts of rows that are not shown": {func(s, _ *server, _ *Options) {
			set(s, "binlog_row_value_options", "PARTIAL_JSON")
			set(s, "binlog_row_image", "MINIMAL")
		}, []string{"warn SOURCE_ROW_IMAGE", "warn SOURCE_ROW_VALUE_OPTIONS"}},
		"minimal metadata":              {func(s, _ *server, _ *Options) { set(s, "binlog_row_metadata", "MINIMAL") }, []string{"warn SOURCE_ROW_METADATA"}},
		"no checksums":                  {func(s, _ *server, _ *Options) { set(s, "binlog_checksum", "NONE") }, []string{"warn SOURCE_CHECKSUM"}},
		"no GTIDs":                      {func(s, _ *server, _ *Options) { set(s, "gtid_mode", "OFF") }, []string{"warn SOURCE_GTID_MODE"}},
		"GTIDs on their way are not on": {func(s, _ *server, _ *Options) { set(s, "gtid_mode", "ON_PERMISSIVE") }, []string{"warn SOURCE_GTID_MODE"}},
		"no GTIDs and a start by GTID": {func(s, _ *server, o *Options) { set(s, "gtid_mode", "OFF"); o.ByGTID = true },
			[]string{"must SOURCE_GTID_MODE"}},
		"logs kept for an hour": {func(s, _ *server, _ *Options) { set(s, "binlog_expire_logs_seconds", "3600") }, []string{"warn SOURCE_RETENTION"}},
		"logs kept for a day":   {func(s, _ *server, _ *Options) { set(s, "binlog_expire_logs_seconds", "86400") }, nil},
		"logs kept for ever":    {func(s, _ *server, _ *Options) { set(s, "binlog_expire_logs_seconds", "0") }, nil},
		"logs not purged by themselves": {func(s, _ *server, _ *Options) {
			set(s, "binlog_expire_logs_auto_purge", "OFF")
			set(s, "binlog_expire_logs_seconds", "60")
		}, nil},
		"RDS keeps logs by a procedure":  {func(s, _ *server, _ *Options) { set(s, "basedir", "/rdsdbbin/mysql/") }, []string{"warn SOURCE_RETENTION"}},
		"the stream's own server_id":     {func(s, _ *server, _ *Options) { set(s, "server_id", "4711") }, []string{"must SOURCE_SERVER_ID"}},
		"server_id 0":                    {func(s, _ *server, _ *Options) { set(s, "server_id", "0") }, []string{"must SOURCE_SERVER_ID"}},
		"a replica with the stream's id": {func(s, _ *server, _ *Options) { s.replicas = []uint32{7, 4711} }, []string{"warn SOURCE_SERVER_ID_TAKEN"}},
		"a filtered log":                 {func(s, _ *server, _ *Options) { s.logFilter = "shop" }, []string{"must SOURCE_LOG_FILTER"}},
		"no replication privileges":      {func(s, _ *server, _ *Options) { s.grants = mustGrants("GRANT SELECT ON *.* TO `a`@`b`") }, []string{"must SOURCE_PRIVILEGES"}},
		"a source before 5.6":            {func(s, _ *server, _ *Options) { s.version = "5.5.62-log" }, []string{"must SOURCE_VERSION"}},
		"logs of 5.6 kept for ever": {func(s, _ *server, _ *Options) {
			delete(s.vars, "binlog_expire_logs_seconds")
			delete(s.vars, "binlog_expire_logs_auto_purge")
			set(s, "expire_logs_days", "0")
		}, nil},
		"an old source":                    {func(s, _ *server, _ *Options) { s.version = "5.7.44-log" }, []string{"warn SOURCE_VERSION"}},
		"an old target":                    {func(_, s *server, _ *Options) { s.version = "5.7.44" }, []string{"warn TARGET_VERSION"}},
		"one server on both sides":         {func(_, s *server, _ *Options) { set(s, "server_uuid", "a") }, []string{"must SAME_SERVER"}},
		"smaller packets on the target":    {func(_, s *server, _ *Options) { set(s, "max_allowed_packet", "4194304") }, []string{"must TARGET_MAX_ALLOWED_PACKET"}},
		"names in lower case on one side":  {func(_, s *server, _ *Options) { set(s, "lower_case_table_names", "1") }, []string{"must LOWER_CASE_TABLE_NAMES"}},
		"a reader as the target":           {func(_, s *server, _ *Options) { set(s, "innodb_read_only", "ON") }, []string{"must TARGET_READ_ONLY"}},
		"LOAD DATA LOCAL not allowed":      {func(_, s *server, _ *Options) { set(s, "local_infile", "OFF") }, []string{"info TARGET_LOCAL_INFILE"}},
		"plain text allowed on the target": {func(_, s *server, _ *Options) { set(s, "require_secure_transport", "OFF") }, []string{"warn TARGET_REQUIRE_TLS"}},
		"MyISAM by default":                {func(_, s *server, _ *Options) { set(s, "default_storage_engine", "MyISAM") }, []string{"must TARGET_ENGINE"}},
		"primary keys required":            {func(_, s *server, _ *Options) { set(s, "sql_require_primary_key", "ON") }, []string{"warn TARGET_REQUIRE_PRIMARY_KEY"}},
		"no control schema": {func(_, s *server, _ *Options) { s.grants = s.grants[1:] },
			[]string{"must TARGET_CONTROL_SCHEMA"}},
		"no privileges on the tables": {func(_, s *server, _ *Options) { s.grants = s.grants[:1] },
			[]string{"must TARGET_ROW_PRIVILEGES", "warn TARGET_DDL_PRIVILEGES", "warn TARGET_TRIGGERS_VISIBLE"}},
		"row privileges table by table": {func(_, s *server, _ *Options) {
			s.grants = append(s.grants[:1], mustGrants("GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON `shop`.`orders` TO `a`@`b`")...)
		}, []string{"warn TARGET_DDL_PRIVILEGES"}},
		"a trigger on the target": {func(_, s *server, _ *Options) { s.tables["shop.orders"].triggers = []string{"audit"} },
			[]string{"must TARGET_TRIGGERS"}},
		"a trigger on the source is in the log": {func(s, _ *server, _ *Options) { s.tables["shop.orders"].triggers = []string{"audit"} }, nil},
		"triggers that cannot be seen": {func(_, s *server, _ *Options) {
			s.grants = append(s.grants[:1], mustGrants("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE ON `shop`.* TO `a`@`b`")...)
		}, []string{"warn TARGET_TRIGGERS_VISIBLE"}},
		"events that run": {func(_, s *server, _ *Options) { set(s, "event_scheduler", "ON"); s.events = []string{"shop.nightly"} },
			[]string{"warn TARGET_EVENTS"}},
		"events with the scheduler off": {func(_, s *server, _ *Options) { s.events = []string{"shop.nightly"} }, nil},
		"events that cannot be seen": {func(_, s *server, _ *Options) {
			set(s, "event_scheduler", "ON")
			s.grants = append(s.grants[:1], mustGrants("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER ON `shop`.* TO `a`@`b`")...)
		}, []string{"info TARGET_EVENTS_VISIBLE"}},
		"MyISAM on the target":      {func(_, s *server, _ *Options) { s.tables["shop.orders"].engine = "MyISAM" }, []string{"must TARGET_TABLE_ENGINE"}},
		"MyISAM on the source":      {func(s, _ *server, _ *Options) { s.tables["shop.orders"].engine = "MyISAM" }, []string{"warn SOURCE_TABLE_ENGINE"}},
		"a table in the clear":      {func(_, s *server, _ *Options) { s.tables["shop.orders"].encrypted = false }, []string{"warn TARGET_AT_REST"}},
		"a redo log in the clear":   {func(_, s *server, _ *Options) { set(s, "innodb_redo_log_encrypt", "OFF") }, []string{"warn TARGET_AT_REST"}},
		"a binary log in the clear": {func(_, s *server, _ *Options) { set(s, "log_bin", "ON") }, []string{"warn TARGET_AT_REST"}},
		"at rest not asked for": {func(_, s *server, o *Options) { s.tables["shop.orders"].encrypted = false; o.SkipAtRest = true },
			[]string{"info TARGET_AT_REST"}},
		"a keyless table": {func(s, x *server, _ *Options) {
			s.tables["shop.orders"].keyed = false
			x.tables["shop.orders"].keyed = false
		}, []string{"warn TABLES_KEYLESS"}},
		"a key on the target is enough": {func(s, _ *server, _ *Options) { s.tables["shop.orders"].keyed = false }, nil},
		"cascades that the source logs": {func(_, s *server, _ *Options) { s.tables["shop.orders"].cascades = []string{"fk"} }, []string{"info TABLES_CASCADING"}},
		"cascades that it does not":     {func(x, s *server, _ *Options) { x.version = "9.5.0"; s.tables["shop.orders"].cascades = []string{"fk"} }, []string{"warn TABLES_CASCADING"}},
		"cascades left to a target's SQL layer": {func(x, s *server, _ *Options) {
			x.version = "9.5.0"
			set(s, "innodb_native_foreign_keys", "OFF")
			s.tables["shop.orders"].cascades = []string{"fk"}
		}, []string{"must TARGET_CASCADES", "warn TABLES_CASCADING"}},
		"native foreign keys": {func(x, s *server, _ *Options) {
			set(x, "innodb_native_foreign_keys", "ON")
			s.tables["shop.orders"].cascades = []string{"fk"}
		}, []string{"warn TABLES_CASCADING"}},
		"a type that MySQL has not": {func(s, x *server, _ *Options) {
			for _, v := range []*server{s, x} {
				v.tables["shop.orders"].columns[0] = column{name: "id", dataType: "inet6", columnType: "inet6"}
			}
		}, []string{"must TABLES_UNSUPPORTED"}},
		"a vector, and text in gbk": {func(s, x *server, _ *Options) {
			for _, v := range []*server{s, x} {
				v.tables["shop.orders"].columns[0] = column{name: "id", dataType: "vector", columnType: "vector(3)"}
				v.tables["shop.orders"].columns[1].charset = "gbk"
			}
		}, nil},
		"a table that the target lacks": {func(_, s *server, _ *Options) { s.tables = map[string]*table{} }, []string{"must TARGET_TABLES_MISSING"}},
		"one that the log may create":   {func(_, s *server, o *Options) { s.tables = map[string]*table{}; o.FromPast = true }, []string{"warn TARGET_TABLES_MISSING"}},
		"a table that only the target has": {func(s, _ *server, _ *Options) {
			s.tables["shop.other"] = s.tables["shop.orders"]
			delete(s.tables, "shop.orders")
			s.tables["shop.orders"] = goodTable()
			delete(s.tables, "shop.other")
		}, nil},
		"a table under another name": {func(_, s *server, o *Options) {
			o.Filter, o.Routes = mustRoute(map[string]string{"shop": "shop_new"})
			moved := goodTable()
			moved.name, moved.schema = "shop_new.orders", "shop_new"
			s.tables = map[string]*table{"shop_new.orders": moved}
			s.grants = mustGrants("GRANT ALL PRIVILEGES ON *.* TO `applier`@`%`")
		}, nil},
		"a table that is not there under its other name": {func(_, s *server, o *Options) {
			o.Filter, o.Routes = mustRoute(map[string]string{"shop": "shop_new"})
			s.tables = map[string]*table{}
		}, []string{"must TARGET_TABLES_MISSING", "must TARGET_ROW_PRIVILEGES", "warn TARGET_DDL_PRIVILEGES"}},
		"two tables in one": {func(s, x *server, o *Options) {
			o.Filter, o.Routes = mustRoute(map[string]string{"crm": "shop"})
			s.tables["crm.orders"] = &table{name: "crm.orders", source: schema.Name{Schema: "crm", Table: "orders"}, schema: "crm", base: "orders", engine: "InnoDB", keyed: true, columns: goodTable().columns}
			x.tables["shop.orders"].source = schema.Name{Schema: "crm", Table: "orders"}
		}, []string{"must TABLES_ROUTE_CLASH"}},
		"tables that the source hides": {func(s, _ *server, _ *Options) {
			s.tables = map[string]*table{}
			s.grants = mustGrants("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`b`")
		}, []string{"warn SOURCE_SELECT"}},
		"nothing to replicate": {func(s, x *server, _ *Options) { s.tables, x.tables = map[string]*table{}, map[string]*table{} }, []string{"warn TABLES"}},
		"another collation":    {func(_, s *server, _ *Options) { s.tables["shop.orders"].columns[1].collation = "utf8mb4_bin" }, []string{"warn TARGET_COLLATIONS"}},
		"another length":       {func(_, s *server, _ *Options) { s.tables["shop.orders"].columns[1].columnType = "varchar(10)" }, []string{"must TARGET_COLUMNS"}},
		"a column more": {func(_, s *server, _ *Options) {
			s.tables["shop.orders"].columns = append(s.tables["shop.orders"].columns, column{name: "x", dataType: "int", columnType: "int"})
		}, []string{"info TARGET_COLUMNS_BY_NAME"}},
		"a column more that nothing fills": {func(_, s *server, _ *Options) {
			s.tables["shop.orders"].columns = append(s.tables["shop.orders"].columns, column{name: "x", dataType: "int", columnType: "int", unfilled: true})
		}, []string{"must TARGET_COLUMNS"}},
		"a column less": {func(_, s *server, _ *Options) {
			s.tables["shop.orders"].columns = s.tables["shop.orders"].columns[:1]
		}, []string{"must TARGET_COLUMNS"}},
		"a column more and no names in the log": {func(x, s *server, _ *Options) {
			set(x, "binlog_row_metadata", "MINIMAL")
			s.tables["shop.orders"].columns = append(s.tables["shop.orders"].columns, column{name: "x", dataType: "int", columnType: "int"})
		}, []string{"must TARGET_COLUMNS", "warn SOURCE_ROW_METADATA"}},
		"a column more in the primary key": {func(_, s *server, _ *Options) {
			t := s.tables["shop.orders"]
			t.columns, t.keys = append([]column{{name: "x", dataType: "int", columnType: "int"}}, t.columns...), [][]string{{"X", "id"}}
		}, []string{"must TARGET_COLUMNS", "info TARGET_COLUMNS_BY_NAME"}},
		"beside it a key that finds the rows": {func(_, s *server, _ *Options) {
			t := s.tables["shop.orders"]
			t.columns, t.keys = append([]column{{name: "x", dataType: "int", columnType: "int"}}, t.columns...), [][]string{{"x"}, {"ID"}}
		}, []string{"info TARGET_COLUMNS_BY_NAME"}},
		"a primary key of the target's own, and none on the source": {func(x, s *server, _ *Options) {
			x.tables["shop.orders"].primary, x.tables["shop.orders"].keyed, x.tables["shop.orders"].keys = false, false, nil
			t := s.tables["shop.orders"]
			t.columns, t.keys = append([]column{{name: "x", dataType: "int", columnType: "int"}}, t.columns...), [][]string{{"x"}}
		}, []string{"info TARGET_COLUMNS_BY_NAME"}},
		"a generated column over a TIMESTAMP": {func(_, s *server, _ *Options) { s.tables["shop.orders"].zoned = []string{"shop.orders.g"} }, []string{"must TABLES_GENERATED_ZONE"}},
		"a generated quotient":                {func(_, s *server, _ *Options) { s.tables["shop.orders"].bound = []string{"shop.orders.g"} }, []string{"warn TABLES_GENERATED_SESSION"}},
		"columns in another order":            {func(_, s *server, _ *Options) { slices.Reverse(s.tables["shop.orders"].columns) }, []string{"info TARGET_COLUMNS_BY_NAME"}},
		"and no names in the log": {func(x, s *server, _ *Options) {
			set(x, "binlog_row_metadata", "MINIMAL")
			slices.Reverse(s.tables["shop.orders"].columns)
		}, []string{"must TARGET_COLUMNS", "warn SOURCE_ROW_METADATA"}},
		"a generated column on one side": {func(_, s *server, _ *Options) { s.tables["shop.orders"].columns[1].generated = true }, []string{"must TARGET_COLUMNS"}},
	} {
		t.Run(name, func(t *testing.T) {
			source, target, o := goodSource(), goodTarget(), Options{}
			test.spoil(source, target, &o)
			if diff := cmp.Diff(append([]string{}, test.want...), found(source, target, o)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneServerIsCheckedWhenTheOtherIsNotThere(t *testing.T) {
	source, target := goodSource(), goodTarget()
	source.vars["log_bin"], target.vars["read_only"] = "OFF", "ON"
	if diff := cmp.Diff([]string{"must SOURCE_LOG_BIN"}, found(source, nil, Options{})); diff != "" {
		t.Errorf("source alone (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"must TARGET_READ_ONLY"}, found(nil, target, Options{})); diff != "" {
		t.Errorf("target alone (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{}, found(nil, nil, Options{})); diff != "" { // Not "nothing matches tables.include".
		t.Errorf("neither (-want +got):\n%s", diff)
	}
}

// Every finding that the rules can make has its why, and at-rest encryption is never claimed without proof.
func TestFindingsExplainThemselves(t *testing.T) {
	source, target := goodSource(), goodTarget()
	for _, s := range []*server{source, target} {
		for name := range maps.Keys(s.vars) {
			s.vars[name] = ""
		}
		s.grants, s.version = nil, "5.5.1"
		bad := s.tables["shop.orders"]
		bad.engine, bad.keyed, bad.encrypted, bad.cascades, bad.triggers = "MyISAM", false, false, []string{"f"}, []string{"t"}
	}
	c := &checker{}
	c.rules(source, target)
	r := c.report()
	if r.OK || r.Count(Must) < 10 {
		t.Errorf("two bad servers: ok=%v with %d musts", r.OK, r.Count(Must))
	}
	for _, f := range r.Findings {
		if f.Seen == "" || f.Why == "" || f.Fix == "" && f.Severity == Must {
			t.Errorf("%s does not explain itself: %+v", f.Code, f)
		}
		if f.Code == "TARGET_AT_REST" && !strings.HasPrefix(f.Seen, "unverified") {
			t.Errorf("at rest: %q, want it to begin with unverified", f.Seen)
		}
	}
	var text strings.Builder
	if err := r.WriteText(&text, Plain); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"must  SOURCE_LOG_BIN", "fix   ", "not ready: "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text has no %q:\n%s", want, &text)
		}
	}
}

// ENUM members are the table owner's words: they are compared and not printed.
func TestEnumMembersAreNotPrinted(t *testing.T) {
	s, d := goodTable(), goodTable()
	s.columns[0] = column{name: "id", dataType: "enum", columnType: "enum('secret','b')"}
	d.columns[0] = column{name: "id", dataType: "enum", columnType: "enum('b','secret')"}
	l := layouts{}
	l.compare(s, d)
	if got := l.differ; len(got) != 1 || strings.Contains(got[0], "secret") {
		t.Errorf("differences = %q, want one that does not print members", l.differ)
	}
}

func TestPlainType(t *testing.T) {
	for in, want := range map[string]string{
		"int(11)": "int", "int(10) unsigned": "int unsigned", "tinyint(1)": "tinyint", "year(4)": "year",
		"varchar(20)": "varchar(20)", "decimal(10,2)": "decimal(10,2)", "bigint": "bigint", "point": "point",
	} {
		if got := plainType(in); got != want {
			t.Errorf("plainType(%s) = %s, want %s", in, got, want)
		}
	}
}
