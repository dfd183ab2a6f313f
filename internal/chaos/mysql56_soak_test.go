//go:build soak

package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
)

// TestSoakKillsFromMySQL56: with GTIDs and by file and position, in both modes. The server is the one of the npm
// package, so that the suite without soak runs where npm is not.
func TestSoakKillsFromMySQL56(t *testing.T) {
	for _, gtid := range []bool{true, false} {
		for _, mode := range []string{"strict", "split"} {
			t.Run(fmt.Sprintf("gtid=%v %s", gtid, mode), func(t *testing.T) {
				s := seed(t)
				r := NewRig(t, Options{Mode: mode, Seed: s, Source: testmysql.StartT(t, testmysql.Source56Options(gtid))})
				r.carrySchema(t)
				load := r.StartLoad(t, 4, Pace(8*time.Millisecond), true)
				rnd := rand.New(rand.NewPCG(s, 1))
				const rounds, each = 6, 5
				for range rounds {
					r.killAtRandom(t, rnd, each)
					r.Source.Exec(t, "FLUSH BINARY LOGS")
				}
				load.Stop()
				finish(t, r)
				t.Logf("%d SIGKILLs, %d source transactions: 0 lost, 0 doubled", rounds*each, load.Transactions.Load())
			})
		}
	}
}
