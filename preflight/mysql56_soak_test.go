//go:build soak

package preflight

import (
	"slices"
	"testing"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// TestSoakCheckOfMySQL56 looks at a source of MySQL 5.6, with GTIDs and without. The server is the one of the npm package,
// which `make test` does not need.
func TestSoakCheckOfMySQL56(t *testing.T) {
	target := testmysql.StartT(t, testmysql.TargetOptions())
	if err := target.CreateApplierUser(t.Context(), "applier", password, "shop"); err != nil {
		t.Fatal(err)
	}
	target.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT UNSIGNED PRIMARY KEY, note VARCHAR(20) CHARACTER SET utf8mb3, y YEAR)",
		"CREATE TABLE shop.differs (id INT PRIMARY KEY, n INT)")
	for name, gtid := range map[string]bool{"GTIDs": true, "positions": false} {
		t.Run(name, func(t *testing.T) {
			source := testmysql.StartT(t, testmysql.Source56Options(gtid))
			if err := source.CreateReplicationUser(t.Context(), "repl", password); err != nil {
				t.Fatal(err)
			}
			source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT UNSIGNED PRIMARY KEY, note VARCHAR(20) CHARACTER SET utf8, y YEAR)",
				"CREATE TABLE shop.differs (id INT PRIMARY KEY, n INT UNSIGNED)")
			filter, err := schema.NewFilter(schema.FilterConfig{Include: []string{"shop.*"}})
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Source: legacy(t, source), Target: endpoint(t, "target", target.Addr, "applier", target.CAFile), Filter: filter, ServerID: 4711}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			got := codes(r)
			if r.Tables != 2 {
				t.Errorf("%d tables", r.Tables)
			}
			if f := got["TARGET_COLUMNS"]; f.Severity != Must || !slices.Equal(f.Objects, []string{"shop.differs.n: int unsigned on the source, int on the target"}) {
				t.Errorf("columns: %+v", f)
			}
			for code, f := range got {
				known := slices.Contains([]string{"SOURCE_VERSION", "SOURCE_TLS_WEAK", "SOURCE_RETENTION", "SOURCE_ROW_METADATA", "SOURCE_GTID_MODE", "TARGET_TRIGGERS_VISIBLE", "TARGET_EVENTS_VISIBLE", "TARGET_COLUMNS"}, code)
				if !known || f.Severity == Must && code != "TARGET_COLUMNS" {
					t.Errorf("finding on a good pair: %+v", f)
				}
			}
			if f := got["SOURCE_TLS_WEAK"]; f.Severity != Warn {
				t.Errorf("TLS 1.0 is not shown as weak: %+v", f)
			}
			if _, found := got["SOURCE_GTID_MODE"]; found == gtid {
				t.Errorf("gtid_mode: found %v", found)
			}
		})
	}
}

// legacy reaches a server of 5.6.
func legacy(t *testing.T, s *testmysql.Server) *mysqlconn.Endpoint {
	t.Helper()
	e := endpoint(t, "source", s.Addr, "repl", s.CAFile)
	client, err := tlsconf.New("source", tlsconf.Config{CA: s.CAFile, Legacy: true})
	if err != nil {
		t.Fatal(err)
	}
	e.TLS = client
	return e
}
