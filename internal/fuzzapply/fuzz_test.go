package fuzzapply

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/chaos"

	"pgregory.net/rapid"
)

const (
	shortRun   = 14 * time.Second // Of `make test`, both modes together; BINSEAL_FUZZ_FOR says another.
	batch      = 20               // Cases that come through together: the cost of waiting and comparing is shared.
	shrinkTime = 90 * time.Second
)

// TestFuzzApply runs random cases in both modes until the time is over. BINSEAL_FUZZ_SEED starts at another seed. A
// failure prints its seed, shrinks, and is written to testdata/cases/found-<seed>.
func TestFuzzApply(t *testing.T) {
	limit := duration(t, shortRun)
	rig := newRig(t)
	facts, err := LoadFacts(t.Context(), rig.Source.DB())
	if err != nil {
		t.Fatal(err)
	}
	seed := firstSeed(t)
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			rig.Mode = mode
			p := &player{rig: rig, t: t, build: chaos.Normal}
			f := &fuzzer{Generator: facts.Generator(), player: p, seed: seed}
			found := f.until(time.Now().Add(limit / 2))
			t.Logf("%d cases from seed %d, %d with routes, %d with columns elsewhere: %d statements, %d refused by the source, %d XA COMMIT; %d tables, %d refused; %d rows compared",
				p.tally.cases, seed, p.tally.routed, p.tally.moved, p.tally.statements, p.tally.refused, p.tally.xa, p.tally.tables, p.tally.tablesRefused, p.tally.rows)
			if found != nil {
				t.Fatal(found.write(t, "../../testdata/cases"))
			}
			if p.tally.refused*2 > p.tally.statements || p.tally.tablesRefused*4 > p.tally.tables || p.tally.rows == 0 {
				t.Error("most of what was generated did nothing")
			}
			if p.daemon != nil {
				if problem := p.await(); problem != "" {
					t.Error(problem)
				}
			}
		})
	}
}

func duration(t *testing.T, short time.Duration) time.Duration {
	text := os.Getenv("BINSEAL_FUZZ_FOR")
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("BINSEAL_FUZZ_FOR: %v", err)
	}
	return d
}

func firstSeed(t *testing.T) int {
	text := os.Getenv("BINSEAL_FUZZ_SEED")
	if text == "" {
		return int(rand.Uint32N(1 << 30))
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BINSEAL_FUZZ_SEED: %v", err)
	}
	return n
}

// fuzzer runs a case per seed.
type fuzzer struct {
	*rapid.Generator[Case]
	player *player
	seed   int
	last   *failure // Of those of the present seed: the smallest, in the end.
}

// failure is a case that went wrong.
type failure struct {
	*played
	seed          int
	mode, verdict string
}

// until runs batches until the time is over; nil when nothing was found.
func (f *fuzzer) until(end time.Time) *failure {
	for time.Now().Before(end) {
		cases := make([]Case, batch)
		for i := range cases {
			cases[i] = f.Example(f.seed + i)
		}
		verdict, all := f.player.run(cases)
		f.player.drop(all, verdict != "")
		if verdict != "" {
			return f.narrow(verdict, all)
		}
		f.seed += batch
	}
	return nil
}

// narrow finds the case of a batch that fails alone, and shrinks it. Where none does, the failure is of the batch.
func (f *fuzzer) narrow(verdict string, all []*played) *failure {
	f.player.t.Logf("batch of seed %d: %s", f.seed, verdict)
	for pass := range 2 {
		for i, d := range all {
			if named := strings.Contains(verdict, d.schema+".") || strings.Contains(verdict, d.schema+"`"); named != (pass == 0) {
				continue // Those first that the verdict names.
			}
			if found := f.shrink(f.seed + i); found != nil {
				return found
			}
		}
	}
	return &failure{played: all[0], seed: f.seed, mode: f.player.rig.Mode, verdict: "only together with the cases of the seeds after it: " + verdict}
}

// shrink runs the case of a seed alone, and smaller ones as long as they fail, each on the real servers. Rapid draws the
// same case as Example from the same seed.
func (f *fuzzer) shrink(seed int) *failure {
	for name, value := range map[string]string{"rapid.seed": strconv.Itoa(seed), "rapid.checks": "1", "rapid.shrinktime": shrinkTime.String(), "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err) // Not one of rapid's flags any more.
		}
	}
	f.last = nil
	rapid.Check(&quiet{}, func(t *rapid.T) {
		verdict, all := f.player.run([]Case{f.Draw(t, "case")})
		f.player.drop(all, verdict != "")
		if verdict != "" {
			f.last = &failure{played: all[0], seed: seed, mode: f.player.rig.Mode, verdict: verdict}
			t.Fatal("found")
		}
	})
	return f.last
}

// write keeps a failure as a case folder and says what it is.
func (f *failure) write(t *testing.T, cases string) string {
	dir := filepath.Join(cases, fmt.Sprintf("found-%d", f.seed))
	why := fmt.Sprintf("Found by make fuzz-apply, seed %d, %s mode.\n%s", f.seed, f.mode, f.verdict)
	if err := f.Folder(dir, why, f.failedSetup, f.failedChanges, f.moves...); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("seed %d, %s: %s\nwritten to %s; BINSEAL_FUZZ_SEED=%d repeats it", f.seed, f.mode, f.verdict, dir, f.seed)
}

// quiet takes rapid's report of a failure, which is what we look for.
type quiet struct{ failed bool }

// The methods of rapid.TB.
func (q *quiet) Helper()               {}
func (q *quiet) Name() string          { return "fuzz" }
func (q *quiet) Logf(string, ...any)   {}
func (q *quiet) Log(...any)            {}
func (q *quiet) Skipf(string, ...any)  {}
func (q *quiet) Skip(...any)           {}
func (q *quiet) SkipNow()              {}
func (q *quiet) Errorf(string, ...any) { q.failed = true }
func (q *quiet) Error(...any)          { q.failed = true }
func (q *quiet) Fatalf(string, ...any) { q.failed = true }
func (q *quiet) Fatal(...any)          { q.failed = true }
func (q *quiet) FailNow()              { q.failed = true }
func (q *quiet) Fail()                 { q.failed = true }
func (q *quiet) Failed() bool          { return q.failed }
