package preflight

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/schema"
)

// goodMariaDB is a MariaDB source without findings.
func goodMariaDB() *server {
	s := goodSource()
	s.version = "10.11.18-MariaDB-deb12-log"
	for _, name := range []string{"gtid_mode", "server_uuid", "binlog_row_value_options", "binlog_expire_logs_auto_purge"} {
		delete(s.vars, name)
	}
	maps.Copy(s.vars, map[string]string{
		"gtid_strict_mode": "ON", "gtid_binlog_state": "0-1-17,7-1-2", "gtid_slave_pos": "", "log_slave_updates": "OFF",
		"mysql56_temporal_format": "ON", "encrypt_binlog": "ON", "wsrep_on": "OFF", "require_secure_transport": "ON", "expire_logs_days": "30.000000",
		"old_mode": "UTF8_IS_UTF8MB3",
	})
	s.grants = mustGrants("GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `repl`@`%`")
	s.tables["shop.orders"].kind = baseTable
	return s
}

func TestRulesOfMariaDB(t *testing.T) {
	set := func(name, value string) func(*server) { return func(s *server) { s.vars[name] = value } }
	only := func(spoil func(*table)) func(*server) { return func(s *server) { spoil(s.tables["shop.orders"]) } }
	for name, test := range map[string]struct {
		spoil func(*server)
		want  []string
	}{
		"nothing is wrong":                   {func(*server) {}, nil},
		"a release before 10.5":              {func(s *server) { s.version = "10.4.34-MariaDB" }, []string{"must SOURCE_VERSION"}},
		"a release that nobody tried":        {func(s *server) { s.version = "11.8.3-MariaDB" }, []string{"warn SOURCE_VERSION"}},
		"no binary log":                      {set("log_bin", "OFF"), []string{"must SOURCE_LOG_BIN"}},
		"MariaDB's default format":           {set("binlog_format", "MIXED"), []string{"must SOURCE_BINLOG_FORMAT"}},
		"after-images of changed columns":    {set("binlog_row_image", "FULL_NODUP"), []string{"warn SOURCE_ROW_IMAGE"}},
		"MariaDB's default metadata":         {set("binlog_row_metadata", "NO_LOG"), []string{"warn SOURCE_ROW_METADATA"}},
		"no checksums":                       {set("binlog_checksum", "NONE"), []string{"warn SOURCE_CHECKSUM"}},
		"numbers in any order":               {set("gtid_strict_mode", "OFF"), []string{"warn SOURCE_GTID_STRICT"}},
		"logs kept for an hour":              {set("binlog_expire_logs_seconds", "3600"), []string{"warn SOURCE_RETENTION"}},
		"a replica that logs what it gets":   {func(s *server) { set("gtid_slave_pos", "0-2-9")(s); set("log_slave_updates", "ON")(s) }, nil},
		"a replica that logs its own only":   {set("gtid_slave_pos", "0-2-9"), []string{"must SOURCE_LOG_SLAVE_UPDATES"}},
		"old temporal formats":               {set("mysql56_temporal_format", "OFF"), []string{"warn SOURCE_TEMPORAL_FORMAT"}},
		"utf8 as utf8mb4":                    {set("old_mode", ""), []string{"warn SOURCE_OLD_MODE"}},
		"a Galera node":                      {set("wsrep_on", "ON"), []string{"warn SOURCE_WSREP"}},
		"a Galera cluster with common GTIDs": {func(s *server) { set("wsrep_on", "ON")(s); set("wsrep_gtid_mode", "ON")(s) }, nil},
		"a log in the clear":                 {set("encrypt_binlog", "OFF"), []string{"info SOURCE_LOG_ENCRYPTED"}},
		"plain text allowed":                 {set("require_secure_transport", "OFF"), []string{"info SOURCE_REQUIRE_TLS"}},
		"replicas that cannot be seen":       {func(s *server) { s.blind = true }, []string{"info SOURCE_SERVER_ID_TAKEN"}},
		"MySQL's name of a privilege is not enough": {func(s *server) {
			s.grants = mustGrants("GRANT SELECT, REPLICATION SLAVE ON *.* TO `repl`@`%`")
		}, []string{"must SOURCE_PRIVILEGES"}},
		"a system-versioned table": {only(func(t *table) { t.kind = versionedTable }), []string{"must SOURCE_TABLES_VERSIONED"}},
		"a sequence":               {only(func(t *table) { t.kind = sequenceTable }), []string{"must SOURCE_SEQUENCES"}},
		"an address into an INT": {only(func(t *table) { t.columns[0].dataType, t.columns[0].columnType = "inet6", "inet6" }),
			[]string{"must TARGET_COLUMNS", "warn SOURCE_COLUMN_BYTES"}},
		"a type of a later release": {only(func(t *table) { t.columns[0].dataType, t.columns[0].columnType = "xmltype", "xmltype" }),
			[]string{"must TABLES_UNSUPPORTED", "must TARGET_COLUMNS"}},
		"a stored generated column": {only(func(t *table) { t.columns[1].generated, t.columns[1].stored = true, true }),
			[]string{"must TARGET_COLUMNS", "warn SOURCE_COLUMNS_GENERATED"}},
		"a compressed column": {only(func(t *table) { t.columns[1].compressed = true }), []string{"info SOURCE_COLUMNS_COMPRESSED"}},
		"Aria":                {only(func(t *table) { t.engine = "Aria" }), []string{"warn SOURCE_TABLE_ENGINE"}},
		"an old temporal column": {only(func(t *table) {
			t.columns = append(t.columns, column{name: "at", dataType: "datetime", columnType: "datetime(3)", oldTemporal: true})
		}), []string{"must SOURCE_COLUMNS_OLD_TEMPORAL", "must TARGET_COLUMNS"}},
	} {
		t.Run(name, func(t *testing.T) {
			source, target := goodMariaDB(), goodTarget()
			test.spoil(source)
			if diff := cmp.Diff(append([]string{}, test.want...), found(source, target, Options{})); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// MariaDB logs no cascade, whatever its version compares to.
func TestMariaDBLeavesCascades(t *testing.T) {
	target := goodTarget()
	target.vars["innodb_native_foreign_keys"] = "OFF"
	target.tables["shop.orders"].cascades = []string{"fk"}
	want := []string{"must TARGET_CASCADES", "warn TABLES_CASCADING"}
	if diff := cmp.Diff(want, found(goodMariaDB(), target, Options{})); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// A fix for MariaDB is a statement that MariaDB has: SET PERSIST is none.
func TestFixesAreInMariaDBsWords(t *testing.T) {
	source := goodMariaDB()
	for name := range source.vars {
		source.vars[name] = ""
	}
	source.vars["wsrep_on"], source.vars["gtid_slave_pos"], source.vars["mysql56_temporal_format"], source.vars["binlog_checksum"] = "ON", "0-1-1", "OFF", "NONE"
	source.grants = nil
	c := &checker{options: Options{ServerID: 4711}}
	c.rules(source, nil)
	for _, f := range c.report().Findings {
		if f.Seen == "" || f.Why == "" || f.Fix == "" || strings.Contains(f.Fix, "PERSIST") {
			t.Errorf("%s does not explain itself in MariaDB's words: %+v", f.Code, f)
		}
	}
}

func TestSharedDomains(t *testing.T) {
	for state, want := range map[string][]string{
		"": nil, "0-1-5": nil, "0-1-5,7-2-9": nil, "0-1-5,0-2-9,7-2-1": {"0"}, "3-1-5, 3-2-6,0-1-1,0-9-2,12-1-1": {"0", "3"},
	} {
		if got := sharedDomains(state); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", state, got, want)
		}
	}
}

// documentedAccount are the statements of docs/operations.md that make the account on a MariaDB source.
func documentedAccount(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n### A MariaDB source\n")
	_, block, open := strings.Cut(section, "```sql\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !open || !closed {
		t.Fatal("docs/operations.md has no statements for the account on a MariaDB source")
	}
	var statements []string
	for line := range strings.Lines(block) {
		statement, _, _ := strings.Cut(line, ";")
		statements = append(statements, strings.Replace(statement, "'…'", "'"+password+"'", 1))
	}
	return statements
}

// The account is made by the statements of docs/operations.md; that the daemon streams with no more is what the data
// cases show, whose account has the same (TestAccountsAreTheDocumentedOnes).
func TestRealMariaDB(t *testing.T) {
	o := testmysql.MariaDBSourceOptions()
	o.Extra = []string{"--max-allowed-packet=64M"}
	source := testmysql.StartT(t, o)
	target := testmysql.StartT(t, testmysql.TargetOptions())
	source.Exec(t, documentedAccount(t)...)
	if err := target.CreateApplierUser(t.Context(), "applier", password, "shop"); err != nil {
		t.Fatal(err)
	}
	filter, err := schema.NewFilter(schema.FilterConfig{Include: []string{"shop.*"}})
	if err != nil {
		t.Fatal(err)
	}
	tables := []string{
		"CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
		"CREATE TABLE shop.orders (id INT UNSIGNED PRIMARY KEY, note VARCHAR(20), e ENUM('a','b'), z INT ZEROFILL, g GEOMETRYCOLLECTION, j LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
	}
	source.Exec(t, tables...)
	target.Exec(t, tables...)
	options := Options{
		Source: endpoint(t, "source", source.Addr, "repl", source.CAFile),
		Target: endpoint(t, "target", target.Addr, "applier", target.CAFile),
		Filter: filter, ServerID: 4711,
	}
	check := func(t *testing.T) Report {
		t.Helper()
		r, err := Run(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	severities := func(r Report) map[string]Severity {
		out := map[string]Severity{}
		for _, f := range r.Findings {
			out[f.Code] = f.Severity
		}
		return out
	}

	t.Run("a good pair", func(t *testing.T) {
		r := check(t)
		want := map[string]Severity{"SOURCE_ROW_METADATA": Warn, "SOURCE_GTID_STRICT": Warn, "SOURCE_REQUIRE_TLS": Info, "SOURCE_SERVER_ID_TAKEN": Info,
			"SOURCE_WRITES_PAST_READ_ONLY": Info, "TARGET_TIME_ZONES": Info, "TARGET_EVENTS_VISIBLE": Info}
		if diff := cmp.Diff(want, severities(r)); diff != "" || !r.OK || r.Tables != 1 {
			t.Errorf("ok %v, %d tables, findings (-want +got):\n%s", r.OK, r.Tables, diff)
		}
		for _, code := range []string{"SOURCE_CONNECT", "SOURCE_VERSION", "SOURCE_PRIVILEGES", "SOURCE_SELECT", "SOURCE_LOG_ENCRYPTED", "SOURCE_RETENTION", "TARGET_COLUMNS"} {
			if !slices.ContainsFunc(r.Passed, func(p Passed) bool { return p.Code == code }) {
				t.Errorf("%s has not passed", code)
			}
		}
	})
	t.Run("the server has the settings that are asked for", func(t *testing.T) { settingsAreThere(t, source) })
	t.Run("a replica that keeps what it gets to itself", func(t *testing.T) {
		source.Exec(t, "SET GLOBAL gtid_slave_pos='9-9-9'")
		if f := codes(check(t))["SOURCE_LOG_SLAVE_UPDATES"]; f.Severity != Must || !strings.Contains(f.Fix, "log_slave_updates=ON") {
			t.Errorf("replica: %+v", f)
		}
		source.Exec(t, "SET GLOBAL gtid_slave_pos=''")
		if f, ok := codes(check(t))["SOURCE_LOG_SLAVE_UPDATES"]; ok {
			t.Errorf("no replica: %+v", f)
		}
	})
	t.Run("the fixes mend it", func(t *testing.T) {
		source.Exec(t, "SET GLOBAL gtid_strict_mode=ON", "SET GLOBAL binlog_row_metadata=FULL", "SET GLOBAL require_secure_transport=ON",
			"GRANT REPLICATION MASTER ADMIN ON *.* TO repl@'%'")
		for _, code := range []string{"SOURCE_ROW_METADATA", "SOURCE_GTID_STRICT", "SOURCE_REQUIRE_TLS", "SOURCE_SERVER_ID_TAKEN"} {
			if f, ok := codes(check(t))[code]; ok {
				t.Errorf("still found: %+v", f)
			}
		}
	})
	t.Run("what MySQL does not have", func(t *testing.T) { onlyOfMariaDB(t, source, target, check) })
	t.Run("an account without privileges", func(t *testing.T) {
		source.Exec(t, "CREATE USER nobody@'%' IDENTIFIED BY '"+password+"' REQUIRE SSL")
		options.Source = endpoint(t, "source", source.Addr, "nobody", source.CAFile)
		got := codes(check(t))
		if f := got["SOURCE_PRIVILEGES"]; f.Severity != Must || f.Fix != "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'nobody'@'%'" {
			t.Errorf("privileges: %+v", f)
		}
		if _, ok := got["SOURCE_SELECT"]; !ok {
			t.Errorf("findings %v, want SOURCE_SELECT", got)
		}
	})
}

// settingsAreThere: a setting under another name would pass unseen.
func settingsAreThere(t *testing.T, source *testmysql.Server) {
	for _, name := range []string{"log_bin", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_checksum", "binlog_expire_logs_seconds", "encrypt_binlog", "gtid_binlog_state",
		"gtid_slave_pos", "gtid_strict_mode", "log_slave_updates", "mysql56_temporal_format", "old_mode", "require_secure_transport", "wsrep_on", "max_allowed_packet", "lower_case_table_names"} {
		if len(source.QueryT(t, "SHOW GLOBAL VARIABLES LIKE '"+name+"'")) != 1 || !slices.Contains(variables, name) {
			t.Errorf("%s: no setting of this server, or not asked for", name)
		}
	}
}

// onlyOfMariaDB makes what MySQL does not have, and looks for it in the report.
func onlyOfMariaDB(t *testing.T, source, target *testmysql.Server, check func(*testing.T) Report) {
	source.Exec(t, "CREATE TABLE shop.versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING", "CREATE SEQUENCE shop.numbers",
		"CREATE TABLE shop.odd (id UUID PRIMARY KEY, a INET4, b INET6, c VARCHAR(2000) COMPRESSED, d BLOB COMPRESSED)",
		"CREATE TABLE shop.aria (id INT PRIMARY KEY, g INT AS (id+1) PERSISTENT, v INT AS (id) VIRTUAL) ENGINE=Aria", "SET GLOBAL mysql56_temporal_format=OFF",
		"CREATE TABLE shop.old (id INT PRIMARY KEY, a DATETIME, b DATETIME(3), c TIME(6), d TIMESTAMP(2) NULL)", "SET GLOBAL mysql56_temporal_format=ON")
	target.Exec(t, "CREATE TABLE shop.odd (id BINARY(16) PRIMARY KEY, a BINARY(4), b BINARY(16), c VARCHAR(2000), d BLOB)",
		"CREATE TABLE shop.old (id INT PRIMARY KEY, a DATETIME, b DATETIME(3), c TIME(6), d TIMESTAMP(2) NULL)")
	got := codes(check(t))
	for code, objects := range map[string][]string{
		"SOURCE_TABLES_VERSIONED":     {"shop.versioned"},
		"SOURCE_SEQUENCES":            {"shop.numbers"},
		"SOURCE_COLUMN_BYTES":         {"shop.odd.id: uuid as binary(16)", "shop.odd.a: inet4 as binary(4)", "shop.odd.b: inet6 as binary(16)"},
		"SOURCE_COLUMNS_COMPRESSED":   {"shop.odd.c", "shop.odd.d"},
		"SOURCE_COLUMNS_OLD_TEMPORAL": {"shop.old.b: datetime(3)", "shop.old.c: time(6)", "shop.old.d: timestamp(2)"},
		"SOURCE_COLUMNS_GENERATED":    {"shop.aria.g"},
		"SOURCE_TABLE_ENGINE":         {"shop.aria: Aria"},
		"TARGET_TABLES_MISSING":       {"shop.aria"},
	} {
		if f := got[code]; !slices.Equal(f.Objects, objects) {
			t.Errorf("%s: %+v, want it with %v", code, f, objects)
		}
	}
	for _, code := range []string{"TARGET_COLUMNS", "TABLES_UNSUPPORTED"} {
		if f, ok := got[code]; ok {
			t.Errorf("the target's columns fit: %+v", f)
		}
	}
}
