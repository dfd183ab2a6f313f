package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// definitions are statements of each kind, as a client of the source sends them. What follows one that has been
// killed would fail if it had not run, or had run twice.
var definitions = []string{
	"CREATE TABLE shop.base (id INT PRIMARY KEY, v VARCHAR(20))",
	"INSERT INTO shop.base VALUES (1,'one'),(2,'two'),(3,NULL)",
	"CREATE TABLE shop.copy SELECT * FROM shop.base",
	"CREATE TABLE shop.copy2 (id INT NOT NULL DEFAULT 7, PRIMARY KEY (id)) COMMENT='START TRANSACTION' AS SELECT id, UPPER(v) AS v FROM shop.base",
	"CREATE TABLE shop.copy3 (id INT) PARTITION BY HASH(id) PARTITIONS 2 SELECT id FROM shop.base",
	"CREATE TABLE shop.none AS SELECT * FROM shop.base WHERE id > 9",
	"CREATE TABLE other.x AS SELECT * FROM shop.base", // Not replicated.
	"CREATE TEMPORARY TABLE shop.tt (id INT)",         // Neither it nor its rows nor its end are in the log.
	"INSERT INTO shop.tt VALUES (1)",
	"CREATE TABLE shop.copy4 SELECT * FROM shop.tt",
	"DROP TEMPORARY TABLE shop.tt",
	"UPDATE shop.copy SET v='changed' WHERE id=2",
	"CREATE SQL SECURITY INVOKER VIEW shop.v AS SELECT id FROM shop.base",
	"CREATE OR REPLACE VIEW shop.w AS SELECT v FROM shop.base",
	"ALTER VIEW shop.w AS SELECT v, 1 AS one FROM shop.base",
	"RENAME TABLE shop.v TO shop.v2",
	"CREATE VIEW shop.gone AS SELECT 1 AS one",
	"DROP VIEW shop.gone",
	"CREATE PROCEDURE shop.p(IN x INT) COMMENT 'it''s' BEGIN IF x > 1 THEN SELECT 'a;b'; END IF; END",
	"CREATE FUNCTION shop.f() RETURNS INT DETERMINISTIC RETURN 1",
	"ALTER PROCEDURE shop.p COMMENT 'other' SQL SECURITY INVOKER",
	"CREATE PROCEDURE shop.q() SELECT 1",
	"DROP PROCEDURE shop.q",
	"CREATE TRIGGER shop.t1 BEFORE INSERT ON shop.base FOR EACH ROW SET NEW.v = UPPER(NEW.v)",
	"CREATE TRIGGER shop.t2 AFTER DELETE ON shop.base FOR EACH ROW INSERT INTO shop.copy VALUES (OLD.id, 'deleted')",
	"CREATE TRIGGER shop.t3 AFTER DELETE ON shop.copy2 FOR EACH ROW SET @x = 1",
	"INSERT INTO shop.base VALUES (4,'four')", // The trigger's work is in the log as rows: it must not fire again.
	"DELETE FROM shop.base WHERE id = 1",
	"DROP TRIGGER shop.t2",
	"CREATE EVENT shop.e1 ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO DELETE FROM shop.base",
	"CREATE EVENT shop.e2 ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM shop.copy",
	"ALTER EVENT shop.e1 RENAME TO shop.e3",
	"DROP EVENT shop.e2",
	"DROP TABLE shop.copy2",                 // And its trigger with it.
	"ALTER TABLE shop.base RENAME shop.bas", // The trigger stays with it.
	"CREATE TABLE shop.parts2 (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
	"INSERT INTO shop.parts2 VALUES (1,1),(11,1)",
	"ALTER TABLE shop.parts2 ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
	"INSERT INTO shop.parts2 VALUES (21,1),(22,1)",
	"ALTER TABLE shop.parts2 TRUNCATE PARTITION p2",
	"INSERT INTO shop.parts2 VALUES (23,1)",
	"ALTER TABLE shop.parts2 REORGANIZE PARTITION p0 INTO (PARTITION p00 VALUES LESS THAN (5), PARTITION p01 VALUES LESS THAN (10))",
	"ALTER TABLE shop.parts2 DROP PARTITION p1",
	// Twice is back: only the ids of InnoDB tell whether these have run.
	"CREATE TABLE shop.whole (id INT PRIMARY KEY, v INT)",
	"INSERT INTO shop.whole VALUES (2,7)",
	"ALTER TABLE shop.parts2 EXCHANGE PARTITION p00 WITH TABLE shop.whole",
	"INSERT INTO shop.whole VALUES (30,3)",
	"INSERT INTO shop.parts2 VALUES (3,3)",
	"ALTER TABLE shop.parts2 EXCHANGE PARTITION p2 WITH TABLE shop.whole WITHOUT VALIDATION",
	"DELETE FROM shop.whole WHERE id = 23",
	"ALTER TABLE shop.parts2 EXCHANGE PARTITION p01 WITH TABLE shop.whole",
	"CREATE TABLE shop.places (id INT PRIMARY KEY, a INT, b INT)",
	"INSERT INTO shop.places VALUES (1,10,20)",
	"ALTER TABLE shop.places CHANGE a b INT, CHANGE b a INT AFTER id",
	"UPDATE shop.places SET a=21",
	"ALTER TABLE shop.places DROP a, RENAME COLUMN b TO a, ADD b INT",
}

// Each statement that defines something is killed once at a point around it.
func TestDefinitionsOfEachKindSurviveKills(t *testing.T) {
	for _, c := range []struct {
		point      string
		byPosition bool
	}{{}, {point: crashpoint.IntentCommit}, {point: crashpoint.DDLDone}, {point: crashpoint.DDLRecorded}, {crashpoint.DDLRecorded, true}} {
		t.Run(fmt.Sprintf("killed at %q, by position %v", c.point, c.byPosition), func(t *testing.T) {
			o := testmysql.SourceOptions()
			o.GTID = !c.byPosition
			r := NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, o)})
			r.Target.Exec(t, "CREATE DATABASE IF NOT EXISTS shop", "GRANT PROCESS ON *.* TO applier")
			r.Source.Exec(t, "CREATE DATABASE shop", "CREATE DATABASE other")
			d := r.Start(t, Normal)
			d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
			d.Stop(t)
			r.Source.Exec(t, definitions...)
			covers := r.End(t)
			starts := 0
			for done := false; !done; starts++ {
				if starts > 2*len(definitions) {
					t.Fatal("no progress")
				}
				// The first statement of one run, the second of the next: one whose traces cannot be told runs again
				// after each kill, and would never come behind a kill at the first.
				d = r.Start(t, Normal, fmt.Sprintf("BINSEAL_CRASH_AT=%s:%d", c.point, 1+starts%2))
				done = reached(t, d, covers)
			}
			differences, rows := r.Compare(t)
			if diff := cmp.Diff([]string(nil), differences, cmpopts.EquateEmpty()); diff != "" || rows != 16 {
				t.Errorf("%d rows compared, want 16: %s", rows, diff)
			}
			definedAlike(t, r)
			d.Stop(t)
			t.Logf("%d starts", starts)
		})
	}
}

// A statement that run twice is undone, killed before it and behind it: the ids of InnoDB tell whether it has run.
func TestStatementsWithoutTracesRunOnce(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto"})
	r.Target.Exec(t, "GRANT PROCESS ON *.* TO applier")
	d := r.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop",
		"CREATE TABLE shop.p (id INT PRIMARY KEY, a INT, b INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
		"CREATE TABLE shop.q (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO shop.p VALUES (1,2,3),(11,12,13)", "INSERT INTO shop.q VALUES (4,5,6)")
	r.AwaitCaughtUp(t, d, 20*time.Second)
	d.Kill()
	for _, sql := range []string{
		"ALTER TABLE shop.p EXCHANGE PARTITION p0 WITH TABLE shop.q",
		"ALTER TABLE shop.p EXCHANGE PARTITION p1 WITH TABLE shop.q WITHOUT VALIDATION",
		"ALTER TABLE shop.p CHANGE a b INT, CHANGE b a INT AFTER id",
		"ALTER TABLE shop.q DROP a, RENAME COLUMN b TO a, ADD b INT",
	} {
		for _, point := range []string{crashpoint.IntentCommit, crashpoint.DDLDone} {
			r.Source.Exec(t, sql, "INSERT INTO shop.q (id) SELECT MAX(id) + 20 FROM shop.q")
			killAt(t, r, point, 1)
			d = r.Start(t, Normal)
			r.AwaitCaughtUp(t, d, 20*time.Second)
			d.Kill()
			if differences, _ := r.Compare(t); len(differences) > 0 {
				t.Errorf("%s, killed at %s: %v", sql, point, differences)
			}
			if strings.Contains(sql, "p0") { // Its validation wants the rows where they were.
				r.Source.Exec(t, "DELETE FROM shop.q WHERE id > 9", "DELETE FROM shop.p WHERE id > 11")
			}
		}
	}
}

// reached waits until the daemon has covered the end, or has been killed.
func reached(t *testing.T, d *Daemon, covers func(stream.Mark) bool) bool {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		if st, err := d.Status(t.Context()); err == nil {
			if st.State == stream.StateHalted {
				t.Fatalf("halted: %+v\n%s", st.Problem, tail(d.Log()))
			}
			if covers(st.Lag.Applied) {
				return true
			}
		}
		if d.Wait(20 * time.Millisecond) {
			return false
		}
	}
	t.Fatalf("not within 60 s\n%s", tail(d.Log()))
	return false
}

// definedAlike compares what Compare does not see: views, routines and what is held.
func definedAlike(t *testing.T, r *Rig) {
	t.Helper()
	for _, q := range []string{
		"SELECT TABLE_NAME, VIEW_DEFINITION, SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA='shop' ORDER BY 1",
		"SELECT ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, SECURITY_TYPE, ROUTINE_COMMENT, SQL_MODE, IS_DETERMINISTIC FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA='shop' ORDER BY 1",
	} {
		want, got := r.Source.QueryT(t, q), r.Target.QueryT(t, q)
		if diff := cmp.Diff(want, got); diff != "" || len(want) < 2 {
			t.Errorf("%d on the source: %s", len(want), diff)
		}
	}
	if n := r.Target.QueryT(t, "SELECT (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA='shop') + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA='shop')")[0][0]; n != "0" {
		t.Errorf("%s triggers and events on the target, want none before cutover", n)
	}
	var held []string
	for _, row := range r.Target.QueryT(t, "SELECT kind, schema_name, name, table_name, statement FROM binseal.held ORDER BY epoch") {
		verb, _, _ := strings.Cut(row[4], " ")
		held = append(held, fmt.Sprintf("%s %s %s.%s on %q", verb, row[0], row[1], row[2], row[3]))
	}
	want := []string{`CREATE TRIGGER shop.t1 on "bas"`, `CREATE EVENT shop.e3 on ""`, `ALTER EVENT shop.e3 on ""`}
	if diff := cmp.Diff(want, held); diff != "" {
		t.Error(diff)
	}
}

// The way out of a refusal: the halt names a rule, and with the rule the stream goes on with nothing lost.
func TestRulesLetTheStreamGoOn(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto"})
	d := r.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop",
		"CREATE TABLE shop.p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
		"CREATE TABLE shop.q (id INT PRIMARY KEY, v INT)", "INSERT INTO shop.p VALUES (1,1),(11,1)", "INSERT INTO shop.q VALUES (2,2)",
		"ALTER TABLE shop.p EXCHANGE PARTITION p0 WITH TABLE shop.q", "INSERT INTO shop.q VALUES (3,3)",
		"CREATE TABLESPACE ts ADD DATAFILE 'hidden.ibd'",
		"ALTER TABLE shop.q ENGINE=MyISAM", "INSERT INTO shop.q VALUES (4,4)")
	halted := func(code string) string {
		t.Helper()
		return d.Await(t, 20*time.Second, "halted with "+code, func(st stream.Status) bool {
			return st.State == stream.StateHalted && st.Problem != nil && st.Problem.Code == code
		}).Problem.Next
	}
	if next := halted("BS-DDL-WITNESS"); !strings.Contains(next, `kind: "ALTER TABLE"`) {
		t.Errorf("the next step names no rule: %s", next)
	}
	d.Kill()
	r.Extra = `ddl:
  rules:
    - match: {kind: "alter table", statement: "alter table * exchange partition *"}
      do: apply
    - match: {kind: CREATE TABLESPACE}
      do: skip
    - match: {table: "shop.q", statement: "* engine=myisam"}
      do: rewrite
      with: ALTER TABLE shop.q COMMENT='stays InnoDB'
`
	// Refused by the target: that proves that it did not run, and leaves no doubt behind.
	r.Target.Exec(t, "RENAME TABLE shop.q TO shop.away")
	d = r.Start(t, Normal)
	halted("BS-DDL-FAILED")
	d.Kill()
	r.Target.Exec(t, "RENAME TABLE shop.away TO shop.q")
	// Killed behind the intent: nothing tells whether the EXCHANGE ran, so a person must look.
	killAt(t, r, crashpoint.IntentCommit, 1)
	d = r.Start(t, Normal)
	halted("BS-DDL-DOUBT")
	d.Kill()
	if code, out := r.Command(t.Context(), t, "position", "settle", "--not-ran"); code != 0 {
		t.Fatalf("position settle: exit code %d\n%s", code, out)
	}
	d = r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, 20*time.Second)
	for _, q := range []string{"SELECT * FROM shop.p ORDER BY id", "SELECT * FROM shop.q ORDER BY id"} {
		if diff := cmp.Diff(r.Source.QueryT(t, q), r.Target.QueryT(t, q)); diff != "" {
			t.Errorf("%s: %s", q, diff)
		}
	}
	if q := r.Target.QueryT(t, "SELECT ENGINE, TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA='shop' AND TABLE_NAME='q'")[0]; q[0] != "InnoDB" || q[1] != "stays InnoDB" {
		t.Errorf("shop.q on the target: %v", q)
	}
	log := d.Log()
	if n := strings.Count(log, "statement decided by a rule"); n != 3 || strings.Contains(log, "hidden") {
		t.Errorf("%d uses of rules logged, want 3, and no text\n%s", n, tail(log))
	}
	d.Stop(t)
}
