package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// From MariaDB, strictly by GTID, then split and by file and position: two domains, whose transactions come in any order
// to each other, rotations of the log and changes of definitions in between.
func TestRandomKillsFromMariaDB(t *testing.T) {
	s := seed(t)
	r := NewRig(t, Options{Mode: "strict", Seed: s, Source: testmysql.StartT(t, testmysql.MariaDBSourceOptions())})
	r.carrySchema(t)
	rnd := rand.New(rand.NewPCG(s, 1))
	run := func(rounds int) {
		t.Helper()
		load := r.StartLoad(t, 4, Pace(8*time.Millisecond), true)
		second := r.startClients(t, clients{n: 1, draws: 1 << 34, pace: Pace(10 * time.Millisecond), work: inAnotherDomain})
		for range rounds {
			r.killAtRandom(t, rnd, 5)
			r.Source.Exec(t, "FLUSH BINARY LOGS")
		}
		load.Stop()
		second.Stop()
		finish(t, r)
		t.Logf("%s: %d SIGKILLs, %d source transactions: 0 lost, 0 doubled", r.Mode, 5*rounds, load.Transactions.Load()+second.Transactions.Load())
	}
	run(3)
	file, pos, _, err := r.Source.LogEnd(t.Context())
	must(t, err)
	r.Mode, r.Name, r.Extra = "split", "by-position", fmt.Sprintf("start: {file: %s, pos: %d}\n", file, pos)
	run(3)
}

// Numbers out of order halt a stream that goes by GTID; by file and position it goes on, as BS-GTID-ORDER tells.
func TestGTIDOrderOfMariaDB(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto", Source: testmysql.StartT(t, testmysql.MariaDBSourceOptions())})
	d := r.Start(t, Normal)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (v INT)", "INSERT INTO shop.t VALUES (1),(1)")
	r.AwaitCaughtUp(t, d, 30*time.Second)
	r.Source.Exec(t, "SET gtid_seq_no=2; INSERT INTO shop.t VALUES (2),(2)", "INSERT INTO shop.t VALUES (3)")
	st := d.Await(t, 30*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem == nil || st.Problem.Code != "BS-GTID-ORDER" || st.Problem.Next == "" {
		t.Fatalf("problem %+v, want BS-GTID-ORDER", st.Problem)
	}
	d.Kill()
	place, _, _ := strings.Cut(st.Problem.Where, " ")
	if code, out := r.Command(t.Context(), t, "position", "set", "--at", place); code != 0 {
		t.Fatalf("position set --at %s: exit code %d\n%s", place, code, out)
	}
	r.Source.Exec(t, "SET gtid_seq_no=4; DELETE FROM shop.t WHERE v=1 LIMIT 1")
	d = r.Start(t, Normal)
	end, pos, _, err := r.Source.LogEnd(t.Context())
	must(t, err)
	d.Await(t, 30*time.Second, "caught up by position", func(st stream.Status) bool {
		if st.State == stream.StateHalted {
			t.Fatalf("the stream halted: %+v", st.Problem)
		}
		return change.Position{File: st.Lag.Applied.File, Pos: st.Lag.Applied.Pos}.Compare(change.Position{File: end, Pos: pos}) >= 0
	})
	r.Equal(t)
	d.Stop(t)
}

// inAnotherDomain inserts identical keyless rows: one lost or doubled shows.
func inAnotherDomain(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf("SET gtid_domain_id=7; INSERT INTO shop.events VALUES (%d,'domain'),(7,'domain'); SET gtid_domain_id=0", rnd.IntN(3)))
	return err
}
