package preflight

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// A library of the SQL parser's family starts a log flusher when it is loaded and never ends it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

const password = "correct-horse"

// endpoint reaches a test server as one of its accounts.
func endpoint(t *testing.T, leg, addr, user, ca string) *mysqlconn.Endpoint {
	t.Helper()
	client, err := tlsconf.New(leg, tlsconf.Config{CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	return &mysqlconn.Endpoint{
		Leg: leg, Addr: addr, User: user, TLS: client,
		Password: func(context.Context, ...mysqlconn.Secret) (mysqlconn.Secret, error) { return password, nil },
	}
}

func codes(r Report) map[string]Finding {
	out := map[string]Finding{}
	for _, f := range r.Findings {
		out[f.Code] = f
	}
	return out
}

// The accounts here have what the daemon's have and no more: REPLICATION SLAVE, REPLICATION CLIENT and SELECT on the
// source; rows and DDL on one schema of the target.
func TestRealServers(t *testing.T) {
	source := testmysql.StartT(t, testmysql.SourceOptions())
	target := testmysql.StartT(t, testmysql.TargetOptions())
	if err := source.CreateReplicationUser(t.Context(), "repl", password); err != nil {
		t.Fatal(err)
	}
	if err := target.CreateApplierUser(t.Context(), "applier", password, "shop"); err != nil {
		t.Fatal(err)
	}
	filter, err := schema.NewFilter(schema.FilterConfig{Include: []string{"shop.*"}, Exclude: []string{"shop.tmp_*"}})
	if err != nil {
		t.Fatal(err)
	}
	tables := []string{
		"CREATE DATABASE shop",
		"CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(20), e ENUM('a','b'))",
		"CREATE TABLE shop.tmp_x (a GEOMETRY)",
	}
	source.Exec(t, tables...)
	target.Exec(t, tables...)
	options := Options{
		Source: endpoint(t, "source", source.Addr, "repl", source.CAFile),
		Target: endpoint(t, "target", target.Addr, "applier", target.CAFile),
		Filter: filter, ServerID: 4711,
	}
	run := func(t *testing.T, o Options) Report {
		t.Helper()
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	t.Run("a good pair is ready", func(t *testing.T) {
		r := run(t, options)
		if !clean(r) || r.Tables != 1 {
			t.Errorf("report %+v, want one table, nothing that must change and no warning", r)
		}
		for _, f := range r.Findings {
			if !slices.Contains([]string{"TARGET_EVENTS_VISIBLE", "SOURCE_WRITES_PAST_READ_ONLY", "TARGET_TIME_ZONES"}, f.Code) {
				t.Errorf("finding on a good pair: %+v", f)
			}
		}
		passed := map[string]string{}
		for _, p := range r.Passed {
			passed[p.Code] = p.Seen
		}
		if !strings.Contains(passed["SOURCE_CONNECT"], "TLSv1.3") || !strings.Contains(passed["TARGET_AT_REST"], "ENCRYPTION='Y'") {
			t.Errorf("passed %v, want TLS and encryption as the servers report them", passed)
		}
	})
	t.Run("tables under other names on the target", func(t *testing.T) {
		target.Exec(t, "CREATE DATABASE moved", "CREATE TABLE moved.tasks (id INT PRIMARY KEY, note VARCHAR(21), e ENUM('a','b'))",
			"GRANT SELECT, INSERT, UPDATE, DELETE ON moved.* TO applier@'%'")
		o := options
		var err error
		if o.Routes, err = schema.NewRoutes(map[string]string{"shop.orders": "moved.tasks"}); err != nil {
			t.Fatal(err)
		}
		got := codes(run(t, o))
		if f := got["TARGET_COLUMNS"]; !slices.Equal(f.Objects, []string{"shop.orders.note: varchar(20) on the source, varchar(21) on the target"}) {
			t.Errorf("columns: %+v", f)
		}
		if f := got["TARGET_DDL_PRIVILEGES"]; !strings.Contains(f.Fix, "`moved`") {
			t.Errorf("privileges: %+v, want those on the target's schema", f)
		}
		target.Exec(t, "DROP DATABASE moved")
	})
	t.Run("generated columns that follow the session", func(t *testing.T) {
		const made = "CREATE TABLE shop.made (id INT PRIMARY KEY, ts TIMESTAMP NULL, v VARCHAR(20), seen DATE AS (DATE(ts)) VIRTUAL, day DATE AS (DATE(ts)) STORED, one DATE AS (DATE(ts)) VIRTUAL UNIQUE, two DATE AS (DATE(ts)) VIRTUAL, UNIQUE (v, two), UNIQUE over_zone ((SHA2(ts,256))), UNIQUE over_text ((SHA2(v,256))), KEY many ((DATE(ts)))," +
			" third DECIMAL(9,4) AS (id/3) STORED, upper VARCHAR(20) AS (UPPER(v)) STORED)"
		source.Exec(t, made)
		target.Exec(t, made)
		got := codes(run(t, options))
		if f := got["TABLES_GENERATED_ZONE"]; f.Severity != Must || !slices.Equal(f.Objects, []string{"shop.made, key over_zone", "shop.made.day", "shop.made.one", "shop.made.two"}) {
			t.Errorf("time zone: %+v", f)
		}
		if f := got["TABLES_GENERATED_SESSION"]; f.Severity != Warn || !slices.Equal(f.Objects, []string{"shop.made.third"}) {
			t.Errorf("other settings: %+v", f)
		}
		source.Exec(t, "DROP TABLE shop.made")
		target.Exec(t, "DROP TABLE shop.made")
	})
	t.Run("an administrator on the target sees triggers and events", func(t *testing.T) {
		target.Exec(t, "CREATE USER admin@'%' IDENTIFIED BY '"+password+"'", "GRANT ALL ON *.* TO admin@'%'",
			"CREATE TRIGGER shop.audit BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.note='x'",
			"CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.orders", "SET GLOBAL event_scheduler=ON")
		o := options
		o.Target = endpoint(t, "target", target.Addr, "admin", target.CAFile)
		got := codes(run(t, o))
		if f := got["TARGET_TRIGGERS"]; f.Severity != Must || !slices.Equal(f.Objects, []string{"shop.orders: audit"}) {
			t.Errorf("triggers: %+v", f)
		}
		if f := got["TARGET_EVENTS"]; f.Severity != Warn || !slices.Equal(f.Objects, []string{"shop.nightly"}) {
			t.Errorf("events: %+v", f)
		}
		// The daemon's own account sees triggers, at which the stream would halt, and no events, and says so.
		got = codes(run(t, options))
		if f := got["TARGET_TRIGGERS"]; f.Severity != Must {
			t.Errorf("findings %v, want TARGET_TRIGGERS", got)
		}
		if _, ok := got["TARGET_EVENTS_VISIBLE"]; !ok {
			t.Errorf("findings %v, want TARGET_EVENTS_VISIBLE for an account that may not see events", got)
		}
		target.Exec(t, "DROP TRIGGER shop.audit", "DROP EVENT shop.nightly", "SET GLOBAL event_scheduler=OFF")
	})
	t.Run("a role's privileges count", func(t *testing.T) {
		source.Exec(t, "CREATE ROLE reader", "GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO reader",
			"CREATE USER byrole@'%' IDENTIFIED BY '"+password+"'", "GRANT reader TO byrole@'%'", "SET DEFAULT ROLE reader TO byrole@'%'")
		o := options
		o.Source = endpoint(t, "source", source.Addr, "byrole", source.CAFile)
		if f, ok := codes(run(t, o))["SOURCE_PRIVILEGES"]; ok {
			t.Errorf("finding %+v, want none: the role has them", f)
		}
	})
	t.Run("an account without privileges", func(t *testing.T) {
		source.Exec(t, "CREATE USER nobody@'%' IDENTIFIED BY '"+password+"'")
		target.Exec(t, "CREATE USER nobody@'%' IDENTIFIED BY '"+password+"'")
		o := options
		o.Source = endpoint(t, "source", source.Addr, "nobody", source.CAFile)
		o.Target = endpoint(t, "target", target.Addr, "nobody", target.CAFile)
		got := codes(run(t, o))
		for _, code := range []string{"SOURCE_PRIVILEGES", "TARGET_CONTROL_SCHEMA", "TABLES"} {
			if _, ok := got[code]; !ok {
				t.Errorf("findings %v, want %s", got, code)
			}
		}
	})
	t.Run("columns that are matched by name", func(t *testing.T) {
		for _, s := range []*testmysql.Server{source, target} {
			s.Exec(t, "CREATE TABLE shop.moved (id INT PRIMARY KEY, v INT)", "CREATE TABLE shop.bare (v INT)")
		}
		target.Exec(t, "ALTER TABLE shop.moved MODIFY v INT FIRST, ADD x INT NOT NULL, ADD d INT NOT NULL DEFAULT 1, ADD e INT DEFAULT (1+1), ADD g INT AS (v+1) STORED NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (d, id)",
			"ALTER TABLE shop.bare ADD no INT NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST")
		got := codes(run(t, options))
		for code, objects := range map[string][]string{
			"TARGET_COLUMNS": {"shop.moved.x: on the target alone, NOT NULL and without a default", "shop.moved: each key of the target has a column that the source does not have"},
			"TARGET_COLUMNS_BY_NAME": {"shop.bare.no: on the target alone", "shop.moved: columns in another order on the target", "shop.moved.d: on the target alone",
				"shop.moved.e: on the target alone", "shop.moved.g: on the target alone"},
		} {
			if f := got[code]; !slices.Equal(f.Objects, objects) {
				t.Errorf("%s: %q, want %q", code, f.Objects, objects)
			}
		}
		source.Exec(t, "DROP TABLE shop.moved, shop.bare")
		target.Exec(t, "DROP TABLE shop.moved, shop.bare")
	})
	t.Run("hazards in tables", func(t *testing.T) {
		source.Exec(t, "SET GLOBAL binlog_row_image='MINIMAL', GLOBAL binlog_row_value_options='PARTIAL_JSON'",
			"CREATE TABLE shop.keyless (a INT)",
			"CREATE TABLE shop.nullable (a INT, UNIQUE KEY (a))",
			"CREATE TABLE shop.prefixed (a VARCHAR(50) NOT NULL, UNIQUE KEY (a(5)))",
			"CREATE TABLE shop.uniq (a INT NOT NULL, UNIQUE KEY (a))",
			"CREATE TABLE shop.child (id INT PRIMARY KEY, o INT, CONSTRAINT fk_o FOREIGN KEY (o) REFERENCES shop.orders(id) ON DELETE CASCADE)",
			"CREATE TABLE shop.odd (id INT PRIMARY KEY, g POINT, k VARCHAR(5) CHARACTER SET gbk)",
			"CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MyISAM",
			"ALTER TABLE shop.orders MODIFY note VARCHAR(30), MODIFY e ENUM('b','a')")
		got := codes(run(t, options))
		for code, objects := range map[string][]string{
			"SOURCE_ROW_IMAGE": nil, "SOURCE_ROW_VALUE_OPTIONS": nil,
			"TABLES_KEYLESS":        {"shop.keyless", "shop.nullable", "shop.prefixed"},
			"TABLES_CASCADING":      {"shop.child: fk_o"},
			"SOURCE_TABLE_ENGINE":   {"shop.old: MyISAM"},
			"TARGET_TABLES_MISSING": {"shop.child", "shop.keyless", "shop.nullable", "shop.odd", "shop.old", "shop.prefixed", "shop.uniq"},
			"TARGET_COLUMNS": {"shop.orders.note: varchar(30) on the source, varchar(20) on the target",
				"shop.orders.e: the members differ, or their order"},
		} {
			f, ok := got[code]
			if !ok || !slices.Equal(f.Objects, objects) {
				t.Errorf("%s: %+v, want it with %v", code, f, objects)
			}
		}
		if f, ok := got["TABLES_UNSUPPORTED"]; ok {
			t.Errorf("all types of MySQL are carried: %+v", f)
		}
	})
	t.Run("a server that refuses is a finding", func(t *testing.T) {
		o := options
		o.Source = endpoint(t, "source", source.Addr, "repl", target.CAFile)
		r := run(t, o)
		f := codes(r)["SOURCE_CONNECT"]
		if r.OK || f.Severity != Must || !strings.Contains(f.Seen, "unknown CA") || f.Fix == "" {
			t.Errorf("report %+v, want SOURCE_CONNECT that names the CA", r)
		}
	})
}
