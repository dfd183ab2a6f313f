package applier

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

func TestWhatMayBeExecutedBesideAnother(t *testing.T) {
	plain, unique, other := modelTable(0), modelTable(1), modelTable(0)
	other.Name = "o"
	m := modelMap()
	otherMap := modelMap()
	otherMap.Table = "o"
	full, partial := rowsOf(m, change.Insert, 0, image("x", 1)), partialTxn(1, "x", 1).Rows
	cases := map[string]struct {
		def    *schema.Table
		p, q   []change.Row
		shards int
		want   bool
	}{
		"other keys, between each other":                     {plain, rowsOf(m, change.Update, 0, image("a", 1), image("a", 2), image("e", 1), image("e", 2)), rowsOf(m, change.Insert, 0, image("c", 1), image("f", 1)), 0, true},
		"the same key":                                       {plain, rowsOf(m, change.Insert, 0, image("a", 1), image("c", 1)), rowsOf(m, change.Update, 0, image("b", 1), image("b", 2), image("c", 1), image("c", 2)), 0, false},
		"keys that the server takes for equal":               {plain, rowsOf(m, change.Delete, 0, image("É", 1)), rowsOf(m, change.Insert, 0, image("e", 1)), 0, false},
		"a row that was there for neither":                   {plain, append(rowsOf(m, change.Insert, 0, image("a", 1)), rowsOf(m, change.Delete, 0, image("a", 1))...), rowsOf(m, change.Insert, 0, image("a", 1)), 0, true},
		"the same key of another table":                      {plain, rowsOf(m, change.Insert, 0, image("a", 1)), rowsOf(otherMap, change.Insert, 0, image("a", 1)), 0, true},
		"a fresh value of a unique index":                    {unique, rowsOf(m, change.Insert, 0, modelRow{"a", 5, 0, 1}.image()), rowsOf(m, change.Insert, 0, modelRow{"b", 6, 0, 1}.image()), 0, true},
		"a unique value that the other one gives up":         {unique, rowsOf(m, change.Delete, 0, modelRow{"a", 5, 0, 1}.image()), rowsOf(m, change.Insert, 0, modelRow{"b", 5, 0, 1}.image()), 0, false},
		"rows that stay in the unique index":                 {unique, rowsOf(m, change.Update, 0, image("a", 1), image("a", 2)), rowsOf(m, change.Update, 0, image("b", 1), image("b", 2)), 0, true},
		"a split epoch":                                      {plain, rowsOf(m, change.Insert, 0, image("a", 1)), rowsOf(otherMap, change.Insert, 0, image("a", 1)), 2, true},
		"a split epoch with the same key":                    {plain, rowsOf(m, change.Insert, 0, image("a", 1), image("c", 1)), rowsOf(m, change.Update, 0, image("c", 1), image("c", 2)), 2, false},
		"a split epoch that has the only follower":           {plain, rowsOf(m, change.Insert, 0, image("a", 1)), rowsOf(otherMap, change.Insert, 0, image("a", 1)), 1, false},
		"ordered changes, which search rows by their values": {plain, partial, rowsOf(otherMap, change.Insert, 0, image("a", 1)), 0, false},
		"ordered changes among others":                       {plain, append(slices.Clone(partial), full...), rowsOf(otherMap, change.Insert, 0, image("a", 1)), 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newTestApplier(bound(t, c.def, m), bound(t, other, otherMap))
			var plans []*plan
			for i, rows := range [][]change.Row{c.p, c.q} {
				e, err := mergeRows(t.Context(), a, rows)
				if err != nil {
					t.Fatal(err)
				}
				p, err := planEpoch(e, []int{c.shards, 0}[i], a.spent)
				if err != nil {
					t.Fatal(err)
				}
				plans = append(plans, p)
			}
			for _, two := range [][2]*plan{{plans[0], plans[1]}, {plans[1], plans[0]}} {
				got := two[0].beside(two[1])
				if got {
					_, later := two[0].apart(two[1])
					got = len(slices.Concat(later...)) == 0
				}
				if got != c.want {
					t.Errorf("all at once: %v, want %v", got, c.want)
				}
			}
		})
	}
	if recovery := planRecovery(newEpoch()); recovery.free {
		t.Error("a recovery may be executed beside another epoch")
	}
}

// Rows that both epochs have wait, the others do not, and no row is lost.
func TestDivide(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringMatching("[a-e]{1,2}"), 1, 8, rapid.ID[string])
		table := &tableChanges{}
		draw := func(name string) step {
			list := keys.Draw(r, name)
			slices.Sort(list)
			s := step{table: table}
			for _, k := range list {
				s.rows = append(s.rows, &netChange{key: k})
			}
			return s
		}
		s, others := draw("rows"), []step{draw("others"), draw("more")}
		free, met := divide(&s, others)
		var got []string
		for _, c := range slices.Concat(free, met) {
			got = append(got, c.key)
			common := slices.ContainsFunc(others, func(o step) bool {
				return slices.ContainsFunc(o.rows, func(b *netChange) bool { return b.key == c.key })
			})
			if common == slices.Contains(free, c) {
				r.Fatalf("%q: in both: %v", c.key, common)
			}
		}
		slices.Sort(got)
		var want []string
		for _, c := range s.rows {
			want = append(want, c.key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatal(diff)
		}
	})
}

// Near the source an epoch that went early would be a small one.
func TestOnlyAFullEpochGoesEarly(t *testing.T) {
	for name, c := range map[string]struct {
		bytes int
		flags uint16
		early bool
	}{
		"full":                       {maxEpochBytes, change.FlagSQLForeignKeys, true},
		"not full":                   {100, change.FlagSQLForeignKeys, false},
		"full, with ordered changes": {maxEpochBytes, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(col *collector) {
				col.a.cfg.Mode, col.a.early = Strict, make(chan item)
				col.start()
				col.give(heavy(familyTxn(1, c.flags), c.bytes))
				synctest.Wait()
				col.wantEarly(c.early, 1, 1)
			})
		})
	}
}

// What is left of a backlog has nobody behind it: it goes early as a full epoch does, when nothing more arrives.
func TestTheLastOfABacklogGoesEarly(t *testing.T) {
	for name, c := range map[string]struct {
		rows       int
		far, atEnd bool
		early      bool
	}{
		"the last":               {splitRows, true, true, true},
		"small":                  {splitRows - 1, true, true, false},
		"more will come":         {splitRows, true, false, false},
		"near the source":        {splitRows, false, true, false},
		"large, and at the end":  {maxEpochRows / firstShare, true, true, true},
		"large, and more behind": {maxEpochRows / firstShare, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			collect(t, func(col *collector) {
				col.a.cfg.Mode, col.a.early = Strict, make(chan item)
				if c.far {
					col.farBehind()
				}
				col.a.cfg.AtEnd = func(pos change.Position) bool { return c.atEnd && pos.Pos == 2 }
				col.start()
				rows := insertsOf(c.rows)
				col.give(txnAt(1, rows[:1]...), txnAt(2, rows[1:]...))
				time.Sleep(fillPatience - 1)
				synctest.Wait()
				select {
				case <-col.a.early:
					t.Fatal("it goes before more could arrive")
				default:
				}
				time.Sleep(2)
				synctest.Wait()
				col.wantEarly(c.early, 2, 2)
			})
		})
	}
}

// blocked holds the lock of row a of shop.p, at which the epoch at position 2 waits, until release.
func blocked(t *testing.T, l *live) (release func()) {
	t.Helper()
	l.server.Exec(t, "INSERT INTO shop.p VALUES ('a',NULL,NULL,1)")
	tx, err := l.server.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var v int
	if err := tx.QueryRowContext(t.Context(), "SELECT v FROM shop.p WHERE id='a' FOR UPDATE").Scan(&v); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

// uncommitted reports whether a row is written in shop.p within the time, committed or not.
func (l *live) uncommitted(t *testing.T, id string, within time.Duration) bool {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		tx, err := l.server.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadUncommitted})
		if err != nil {
			t.Fatal(err)
		}
		var n int
		err = tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shop.p WHERE id=?", id).Scan(&n)
		_ = tx.Rollback()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 || time.Now().After(deadline) {
			return n > 0
		}
	}
}

// Long enough for an epoch of two rows to show.
const soon, tooLong = 300 * time.Millisecond, 5 * time.Second

func TestLiveOverlap(t *testing.T) {
	l := newLive(t)
	m := mapOf("p")
	pair := func(n uint64, first, second string) *change.Txn {
		return txnAt(n, rowsOf(m, change.Insert, 0, image(first, 1), image(second, 1))...)
	}
	updateA := rowsOf(m, change.Update, 0, image("a", 1), image("a", 2))
	with := func(n uint64, rows []change.Row, more ...change.Row) *change.Txn {
		return txnAt(n, append(slices.Clone(rows), more...)...)
	}
	missing := rowsOf(m, change.Update, 0, image("missing", 1), image("missing", 2))[0]
	cases := map[string]struct {
		txns     []*change.Txn // The first waits for the lock of a; each is an epoch.
		begins   string        // A row that shows while the first waits,
		waits    string        // and one that must not.
		rows     []string
		position string
		commits  []uint64
		err      func(error) bool
	}{
		"two epochs at the same time, not three": {
			txns:   []*change.Txn{with(2, updateA, rowsOf(m, change.Insert, 0, image("d", 1))...), pair(3, "b", "e"), pair(4, "c", "f")},
			begins: "e", waits: "c",
			rows: []string{"a 0 0 2", "b 0 0 1", "c 0 0 1", "d 0 0 1", "e 0 0 1", "f 0 0 1"}, position: "4", commits: []uint64{2, 3, 4}},
		"a row that both have waits": {
			txns:   []*change.Txn{with(2, updateA, rowsOf(m, change.Insert, 0, image("d", 1))...), with(3, rowsOf(m, change.Insert, 0, image("b", 1)), rowsOf(m, change.Update, 0, image("d", 1), image("d", 9))...)},
			begins: "b", waits: "d",
			rows: []string{"a 0 0 2", "b 0 0 1", "d 0 0 9"}, position: "3", commits: []uint64{2, 3}},
		"the first fails": {
			txns:   []*change.Txn{with(2, updateA, missing), pair(3, "b", "e")},
			begins: "e", rows: []string{"a 0 0 1"}, position: "1",
			err: func(err error) bool {
				f := change.FaultOf(err)
				return f != nil && f.Code == "BS-DIVERGED" && strings.HasPrefix(f.Where, "binlog.000001:1: shop.p")
			}},
		"the second fails: no divergence while the first is not confirmed": {
			txns:   []*change.Txn{with(2, updateA, rowsOf(m, change.Insert, 0, image("d", 1))...), with(3, rowsOf(m, change.Insert, 0, image("b", 1)), missing)},
			begins: "b", rows: []string{"a 0 0 2", "d 0 0 1"}, position: "2", commits: []uint64{2},
			err: func(err error) bool {
				again, ok := errors.AsType[*Again](err)
				return ok && again.Careful.Single && again.Careful.Until.Pos == 3
			}},
	}
	for name, c := range cases {
		for _, mode := range []Config{{Mode: Strict, Sessions: 1, EpochRows: 2}, {Mode: Split, Sessions: 2, EpochRows: 2}} {
			t.Run(name+", "+string(mode.Mode), func(t *testing.T) {
				l.begin(t, strings.ReplaceAll(strings.SplitN(name, ":", 2)[0], " ", "_")+"_"+string(mode.Mode))
				release := blocked(t, l)
				defer release()
				commits, err := l.runWith(t, mode, func(in chan<- *change.Txn, _ *Applier) {
					for _, txn := range c.txns {
						in <- txn
					}
					if c.begins != "" && !l.uncommitted(t, c.begins, tooLong) {
						t.Errorf("nothing of the second epoch is executed while the first one waits for a lock")
					}
					if c.waits != "" && l.uncommitted(t, c.waits, soon) {
						t.Errorf("row %s is written while the first epoch waits for a lock", c.waits)
					}
					if got := l.position(t); got != "1" {
						t.Errorf("recorded %s while the first epoch is not executed", got)
					}
					release()
				})
				if c.err == nil && err != nil || c.err != nil && !c.err(err) {
					t.Errorf("got %v", err)
				}
				if diff := cmp.Diff(c.rows, l.rows(t, "p")); diff != "" {
					t.Error(diff)
				}
				if got := l.position(t); got != c.position {
					t.Errorf("recorded %s, want %s", got, c.position)
				}
				var ends []uint64
				for _, p := range commits {
					ends = append(ends, p.Checkpoint.Pos.Pos)
				}
				if diff := cmp.Diff(c.commits, ends); diff != "" {
					t.Errorf("commits:\n%s", diff)
				}
			})
		}
	}
}

// Neighbours in the key's order and in a secondary index, deleted, inserted again and updated by two epochs at a time: no
// epoch waits for the other, or the run would end in a lock wait timeout that InnoDB cannot take for a deadlock.
func TestLiveOverlapWaitsForNothing(t *testing.T) {
	l := newLive(t)
	for _, mode := range []Config{{Mode: Strict, Sessions: 1, EpochRows: 12}, {Mode: Split, Sessions: 4, EpochRows: 12}} {
		t.Run(string(mode.Mode), func(t *testing.T) { neighbours(t, l, mode) })
	}
}

func neighbours(t *testing.T, l *live, mode Config) {
	l.begin(t, "neighbours_"+string(mode.Mode))
	l.server.Exec(t, "ALTER TABLE shop.p ADD KEY (v)")
	m := mapOf("p")
	rnd := rand.New(rand.NewPCG(1, 2))
	rows := map[string]int32{}
	var txns []*change.Txn
	for n := range uint64(6000) {
		id, v := fmt.Sprintf("%03d", rnd.IntN(600)), 1+rnd.Int32N(50)
		was, there := rows[id]
		var c []change.Row
		switch {
		case !there:
			c, rows[id] = rowsOf(m, change.Insert, 0, image(id, v)), v
		case v%2 == 0:
			c = rowsOf(m, change.Delete, 0, image(id, was))
			delete(rows, id)
		default:
			c, rows[id] = rowsOf(m, change.Update, 0, image(id, was), image(id, v)), v
		}
		txns = append(txns, txnAt(n+2, c...))
	}
	if _, err := l.run(t, mode, txns...); err != nil {
		t.Fatal(err)
	}
	var want []string
	for id, v := range rows {
		want = append(want, fmt.Sprint(id, " 0 0 ", v))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
}
