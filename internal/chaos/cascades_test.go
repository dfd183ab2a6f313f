package chaos

import (
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// A child of two foreign keys to one parent kept a key that was gone, and nothing told of it: MySQL 9.7.4 runs
// cascades in its SQL layer by default, and leaves out the SET NULL when the CASCADE beside it goes on to a
// grandchild. Sources that log no cascades leave them to the target.
func TestCascadesOutsideOfInnoDBAreRefused(t *testing.T) {
	r := NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, testmysql.MariaDBSourceOptions())})
	d := r.Start(t, Normal)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop", "USE shop", "CREATE TABLE b (id INT PRIMARY KEY)",
		"CREATE TABLE c (id INT PRIMARY KEY, b INT, b2 INT, FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE, FOREIGN KEY (b2) REFERENCES b (id) ON DELETE SET NULL)",
		"CREATE TABLE d (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id) ON DELETE CASCADE)",
		"INSERT INTO b VALUES (10),(11),(30)", "INSERT INTO c VALUES (100,10,11),(110,11,30),(300,30,10)", "INSERT INTO d VALUES (1000,100),(1100,110)")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Source.Exec(t, "DELETE FROM shop.b WHERE id=11")
	st := d.Await(t, 30*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem.Code != "BS-CASCADES" || st.Problem.Where == "" || st.Problem.Next == "" {
		t.Fatalf("problem %+v, want BS-CASCADES with place and next step", st.Problem)
	}
	d.Kill()
	must(t, r.Target.Restart(t.Context(), "--innodb-native-foreign-keys=ON"))
	d = r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Equal(t)
	if left := r.Target.QueryT(t, "SELECT id, b2 FROM shop.c ORDER BY id"); len(left) != 2 || left[0][1] != "NULL" || left[1][1] != "10" {
		t.Errorf("rows of the child: %v", left)
	}
	d.Stop(t)
}
