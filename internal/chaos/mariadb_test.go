package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
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

// inAnotherDomain inserts identical keyless rows: one lost or doubled shows.
func inAnotherDomain(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf("SET gtid_domain_id=7; INSERT INTO shop.events VALUES (%d,'domain'),(7,'domain'); SET gtid_domain_id=0", rnd.IntN(3)))
	return err
}
