package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// A source with lower_case_table_names=1 logs its rows under names in lower case, and its statements as they were
// typed: taken at their letter, a TRUNCATE SHOP.T would be one of a table that is not replicated, and be left out.
func TestNamesInLowerCase(t *testing.T) {
	source, target := testmysql.SourceOptions(), testmysql.TargetOptions()
	source.LowerCaseNames, target.LowerCaseNames = true, true
	r := NewRig(t, Options{Mode: "auto", Source: testmysql.StartT(t, source), Target: testmysql.StartT(t, target)})
	r.Rename = map[string]string{"shop.moved": "shop.moved_v2"}
	d := r.Start(t, Normal)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE Shop", "USE SHOP", "CREATE TABLE T (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)",
		"TRUNCATE SHOP.T", "INSERT INTO Shop.T VALUES (2)", "ALTER TABLE sHop.T ADD V INT", "INSERT INTO shop.t VALUES (3,3)",
		"CREATE TABLE Parent (id INT PRIMARY KEY)", "CREATE TABLE C (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES PARENT (id))",
		"RENAME TABLE C TO SHOP.Child", "INSERT INTO PARENT VALUES (1)", "INSERT INTO CHILD VALUES (1,1)",
		"CREATE TABLE MOVED (id INT PRIMARY KEY)", "INSERT INTO Moved VALUES (1)", "ALTER TABLE Shop.MOVED ADD x INT", "INSERT INTO MOVED VALUES (2,2)")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Target.Exec(t, "RENAME TABLE shop.moved_v2 TO shop.moved")
	r.Equal(t)
}

// T and t are two tables on the one side and one on the other. A target made anew with the source's setting takes them.
func TestNamesComparedDifferentlyAreRefused(t *testing.T) {
	target := testmysql.TargetOptions()
	target.LowerCaseNames = true
	r := NewRig(t, Options{Mode: "auto", Target: testmysql.StartT(t, target)})
	d := r.Start(t, Normal)
	st := d.Await(t, 30*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem == nil || st.Problem.Code != "BS-NAME-CASE" || st.Problem.Next == "" {
		t.Errorf("problem %+v, want BS-NAME-CASE", st.Problem)
	}
	d.Kill()
	r.Target = testmysql.StartT(t, testmysql.TargetOptions())
	must(t, r.Target.CreateApplierUser(t.Context(), "applier", password, "shop"))
	r.TargetProxy = proxyTo(t, r.Target.Addr)
	d = r.Start(t, Normal)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.T (id INT PRIMARY KEY)", "CREATE TABLE shop.t (id INT PRIMARY KEY)",
		"INSERT INTO shop.T VALUES (1)", "INSERT INTO shop.t VALUES (2)")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Equal(t)
}

// A swap around a routed name, killed before it and behind it: intent and marker are on the target's names.
func TestSwapOfARoutedTableRunsOnce(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto"})
	r.Rename = map[string]string{"shop.a": "shop.a_v2"}
	d := r.Start(t, Normal)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.a (id INT PRIMARY KEY)", "CREATE TABLE shop.b LIKE shop.a", "INSERT INTO shop.b VALUES (7)")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	d.Kill()
	for i, point := range []string{crashpoint.IntentCommit, crashpoint.DDLDone, crashpoint.DDLDone} {
		r.Source.Exec(t, "RENAME TABLE shop.a TO shop.x, shop.b TO shop.a, shop.x TO shop.b", fmt.Sprintf("INSERT INTO shop.a VALUES (%d)", i))
		killAt(t, r, point, 1)
		d = r.Start(t, Normal)
		r.AwaitCaughtUp(t, d, 30*time.Second)
		d.Kill()
		const rows = "SELECT (SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.a), (SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.b)"
		want, got := r.Source.QueryT(t, rows), r.Target.QueryT(t, strings.ReplaceAll(rows, "shop.a)", "shop.a_v2)"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("killed at %s: %s", point, diff)
		}
	}
}
