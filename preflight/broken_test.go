package preflight

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/grants"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/schema"
)

// setup is one way in which two servers are not ready.
type setup struct {
	code     string
	severity Severity
	source   []string // What breaks it.
	target   []string
	fix      []string // Statements that the finding's fix holds, or names with its …; they make the pair clean again.
	onTarget bool     // Where the fix runs.
	again    []string // What else the test has to do, on the same server: statements that no fix can hold as they are.
}

const order = "CREATE TABLE shop.%s (id INT PRIMARY KEY, v VARCHAR(20) COLLATE utf8mb4_0900_ai_ci)"

func setups() map[string]setup {
	return map[string]setup{
		"statements in the log":              {code: "SOURCE_BINLOG_FORMAT", severity: Must, source: []string{"SET GLOBAL binlog_format='STATEMENT'"}, fix: []string{"SET PERSIST binlog_format=ROW"}},
		"partial images":                     {code: "SOURCE_ROW_IMAGE", severity: Warn, source: []string{"SET GLOBAL binlog_row_image='MINIMAL'"}, fix: []string{"SET PERSIST binlog_row_image=FULL"}},
		"differences of JSON without images": {code: "SOURCE_ROW_VALUE_OPTIONS", severity: Warn, source: []string{"SET GLOBAL binlog_row_image='MINIMAL', GLOBAL binlog_row_value_options='PARTIAL_JSON'"}, fix: []string{"SET PERSIST binlog_row_image=FULL", "SET PERSIST binlog_row_value_options=''"}},
		"no checksums":                       {code: "SOURCE_CHECKSUM", severity: Warn, source: []string{"SET GLOBAL binlog_checksum='NONE'"}, fix: []string{"SET PERSIST binlog_checksum=CRC32"}},
		"no names of columns":                {code: "SOURCE_ROW_METADATA", severity: Warn, source: []string{"SET GLOBAL binlog_row_metadata='MINIMAL'"}, fix: []string{"SET PERSIST binlog_row_metadata=FULL"}},
		"logs kept for an hour":              {code: "SOURCE_RETENTION", severity: Warn, source: []string{"SET GLOBAL binlog_expire_logs_seconds=3600"}, fix: []string{"SET PERSIST binlog_expire_logs_seconds=259200"}},
		"no GTIDs": {code: "SOURCE_GTID_MODE", severity: Warn, source: []string{"SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE"},
			fix: []string{"gtid_mode to OFF_PERMISSIVE, ON_PERMISSIVE and ON"}, again: []string{"SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=ON"}},
		"an account that may not read the log":   {code: "SOURCE_PRIVILEGES", severity: Must, source: []string{"REVOKE REPLICATION SLAVE ON *.* FROM repl@'%'"}, fix: []string{"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'repl'@'%'"}},
		"an account that may not see the tables": {code: "SOURCE_SELECT", severity: Warn, source: []string{"REVOKE SELECT ON *.* FROM repl@'%'"}, fix: []string{"GRANT SELECT ON the included schemas TO 'repl'@'%'"}, again: []string{"GRANT SELECT ON *.* TO 'repl'@'%'"}},
		"a transaction that is left open":        {code: "SOURCE_LONG_TRANSACTION", severity: Warn, fix: []string{"KILL "}},
		"a table that rolls nothing back":        {code: "SOURCE_TABLE_ENGINE", severity: Warn, source: []string{"ALTER TABLE shop.orders ENGINE=MyISAM"}, fix: []string{"ALTER TABLE … ENGINE=InnoDB on the source"}, again: []string{"ALTER TABLE shop.orders ENGINE=InnoDB"}},
		"a table without a key": {code: "TABLES_KEYLESS", severity: Warn, source: []string{"ALTER TABLE shop.orders DROP PRIMARY KEY"}, target: []string{"ALTER TABLE shop.orders DROP PRIMARY KEY"},
			fix: []string{"add a primary key"}, again: []string{"ALTER TABLE shop.orders ADD PRIMARY KEY (id)"}},

		"a target that only reads":        {code: "TARGET_READ_ONLY", severity: Must, target: []string{"SET GLOBAL super_read_only=ON"}, onTarget: true, fix: []string{"SET GLOBAL super_read_only=OFF, read_only=OFF"}, again: []string{"SET GLOBAL super_read_only=OFF", "SET GLOBAL read_only=OFF"}},
		"clients without TLS":             {code: "TARGET_REQUIRE_TLS", severity: Warn, target: []string{"SET GLOBAL require_secure_transport=OFF"}, onTarget: true, fix: []string{"SET PERSIST require_secure_transport=ON"}},
		"no LOAD DATA LOCAL":              {code: "TARGET_LOCAL_INFILE", severity: Info, target: []string{"SET GLOBAL local_infile=OFF"}, onTarget: true, fix: []string{"SET PERSIST local_infile=ON"}},
		"another engine by default":       {code: "TARGET_ENGINE", severity: Must, target: []string{"SET GLOBAL default_storage_engine=MyISAM"}, onTarget: true, fix: []string{"SET PERSIST default_storage_engine=InnoDB"}},
		"no tables without a primary key": {code: "TARGET_REQUIRE_PRIMARY_KEY", severity: Warn, target: []string{"SET GLOBAL sql_require_primary_key=ON"}, onTarget: true, fix: []string{"SET PERSIST sql_require_primary_key=OFF"}},
		"small packets":                   {code: "TARGET_MAX_ALLOWED_PACKET", severity: Must, target: []string{"SET GLOBAL max_allowed_packet=1048576"}, onTarget: true, fix: []string{"SET PERSIST max_allowed_packet=67108864"}},
		"no control schema":               {code: "TARGET_CONTROL_SCHEMA", severity: Must, target: []string{"REVOKE INSERT ON binseal.* FROM applier@'%'"}, onTarget: true, fix: []string{"GRANT " + strings.Join(grants.Control, ", ") + " ON `binseal`.* TO 'applier'@'%'"}},
		"rows may not be written":         {code: "TARGET_ROW_PRIVILEGES", severity: Must, target: []string{"REVOKE UPDATE ON shop.* FROM applier@'%'"}, onTarget: true, fix: []string{grants.Schema("shop", "'applier'@'%'")}},
		"tables may not be altered":       {code: "TARGET_DDL_PRIVILEGES", severity: Warn, target: []string{"REVOKE ALTER ON shop.* FROM applier@'%'"}, onTarget: true, fix: []string{grants.Schema("shop", "'applier'@'%'")}},
		"triggers cannot be seen":         {code: "TARGET_TRIGGERS_VISIBLE", severity: Warn, target: []string{"REVOKE TRIGGER ON shop.* FROM applier@'%'"}, onTarget: true, fix: []string{"GRANT TRIGGER"}, again: []string{grants.Schema("shop", "'applier'@'%'")}},
		"a trigger": {code: "TARGET_TRIGGERS", severity: Must, target: []string{"CREATE TRIGGER shop.audit BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.v='x'"}, onTarget: true,
			fix: []string{"DROP TRIGGER"}, again: []string{"DROP TRIGGER shop.audit"}},
		"an event": {code: "TARGET_EVENTS", severity: Warn, target: []string{"GRANT EVENT ON shop.* TO applier@'%'", "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.orders", "SET GLOBAL event_scheduler=ON"}, onTarget: true,
			fix: []string{"SET PERSIST event_scheduler=OFF"}, again: []string{"DROP EVENT shop.nightly"}},
		"a target table that rolls nothing back": {code: "TARGET_TABLE_ENGINE", severity: Must, target: []string{"ALTER TABLE shop.orders ENCRYPTION='N', ENGINE=MyISAM"}, onTarget: true, fix: []string{"ALTER TABLE … ENGINE=InnoDB"}, again: []string{"ALTER TABLE shop.orders ENGINE=InnoDB ENCRYPTION='Y'"}},
		"a table that is not encrypted":          {code: "TARGET_AT_REST", severity: Warn, target: []string{"ALTER TABLE shop.orders ENCRYPTION='N'"}, onTarget: true, fix: []string{"ALTER TABLE … ENCRYPTION='Y'"}, again: []string{"ALTER TABLE shop.orders ENCRYPTION='Y'"}},
		"a redo log that is not encrypted":       {code: "TARGET_AT_REST", severity: Warn, target: []string{"SET GLOBAL innodb_redo_log_encrypt=OFF"}, onTarget: true, fix: []string{"set the variables named"}, again: []string{"SET PERSIST innodb_redo_log_encrypt=ON"}},
		"a table that is not there":              {code: "TARGET_TABLES_MISSING", severity: Must, source: []string{"CREATE TABLE shop.fresh (id INT PRIMARY KEY)"}, onTarget: true, fix: []string{"copy the definitions"}, again: []string{"CREATE TABLE shop.fresh (id INT PRIMARY KEY)"}},
		"a narrower column":                      {code: "TARGET_COLUMNS", severity: Must, target: []string{"ALTER TABLE shop.orders MODIFY v VARCHAR(10) COLLATE utf8mb4_0900_ai_ci"}, onTarget: true, fix: []string{"ALTER TABLE"}, again: []string{"ALTER TABLE shop.orders MODIFY v VARCHAR(20) COLLATE utf8mb4_0900_ai_ci"}},
		"another collation":                      {code: "TARGET_COLLATIONS", severity: Warn, target: []string{"ALTER TABLE shop.orders MODIFY v VARCHAR(20) COLLATE utf8mb4_bin"}, onTarget: true, fix: []string{"ALTER TABLE … MODIFY … COLLATE on the target"}, again: []string{"ALTER TABLE shop.orders MODIFY v VARCHAR(20) COLLATE utf8mb4_0900_ai_ci"}},
	}
}

// Each broken set-up is named, with the fix that makes the pair clean again: "clean" is no must and no warning.
func TestBrokenSetups(t *testing.T) {
	source, target := testmysql.StartT(t, testmysql.SourceOptions()), testmysql.StartT(t, testmysql.TargetOptions())
	if err := source.CreateReplicationUser(t.Context(), "repl", password); err != nil {
		t.Fatal(err)
	}
	if err := target.CreateApplierUser(t.Context(), "applier", password, "shop"); err != nil {
		t.Fatal(err)
	}
	filter, err := schema.NewFilter(schema.FilterConfig{Include: []string{"shop.*"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*testmysql.Server{source, target} {
		s.Exec(t, "CREATE DATABASE shop", strings.Replace(order, "%s", "orders", 1))
	}
	source.Exec(t, "GRANT PROCESS ON *.* TO repl@'%'") // So that it sees open transactions.
	options := Options{Source: endpoint(t, "source", source.Addr, "repl", source.CAFile), Target: endpoint(t, "target", target.Addr, "applier", target.CAFile), Filter: filter, ServerID: 4711, LongTransaction: time.Second}
	check := func(t *testing.T) Report {
		t.Helper()
		r, err := Run(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := check(t); !clean(r) {
		t.Fatalf("the good pair is not clean: %+v", r.Findings)
	}
	all := setups()
	if len(all) < 25 {
		t.Errorf("%d set-ups, want 25", len(all))
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			source.Exec(t, c.source...)
			target.Exec(t, c.target...)
			repair := source
			if c.onTarget {
				repair = target
			}
			if c.code == "SOURCE_LONG_TRANSACTION" {
				c.again = openLong(t, source)
			}
			r := check(t)
			f, found := codes(r)[c.code]
			if !found || f.Severity != c.severity || f.Why == "" || f.Seen == "" {
				t.Errorf("got %+v, want %s %s", r.Findings, c.severity, c.code)
			}
			for _, fix := range c.fix {
				if !strings.Contains(f.Fix, fix) {
					t.Errorf("the fix %q does not name %q", f.Fix, fix)
				}
				if isStatement(fix) {
					repair.Exec(t, fix)
				}
			}
			repair.Exec(t, c.again...)
			if c.code == "SOURCE_LONG_TRANSACTION" {
				time.Sleep(300 * time.Millisecond) // InnoDB gives a list that may be 0.1 s old (i_s.cc, CACHE_MIN_IDLE_TIME).
			}
			if c.code == "TABLES_KEYLESS" {
				target.Exec(t, c.again...)
			}
			if c.code == "SOURCE_ROW_VALUE_OPTIONS" || c.code == "TARGET_EVENTS" {
				target.Exec(t, "SET GLOBAL event_scheduler=OFF")
			}
			if r := check(t); !clean(r) {
				t.Fatalf("not clean after the fix: %v", slices.Collect(maps.Keys(codes(r))))
			}
		})
	}
}

func clean(r Report) bool { return r.OK && r.Count(Warn) == 0 }

// isStatement reports that a fix can be run as it is.
func isStatement(fix string) bool {
	verb, rest, _ := strings.Cut(fix, " ")
	return slices.Contains([]string{"SET", "GRANT"}, verb) && strings.ContainsAny(rest, "=`") && !strings.Contains(fix, ", read_only") || strings.HasPrefix(fix, "GRANT REPLICATION")
}

// openLong leaves a transaction open for longer than the options allow, and gives the statement that ends it.
func openLong(t *testing.T, s *testmysql.Server) []string {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var id string
	if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "START TRANSACTION"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "INSERT INTO shop.orders VALUES (1,'x')"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // Whole seconds are told.
	return []string{"KILL " + id}
}
