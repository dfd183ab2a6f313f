package applier

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/binseal/binseal/change"
)

// Values that nobody has given up lately let a table's rows travel on several sessions; one that somebody has keeps all of
// them on the leader: in the same epoch, in one before, and for a while behind a run whose rows are not known.
func TestReusedUniqueValuesKeepATableOnTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := modelMap()
		a := newTestApplier(bound(t, modelTable(2), m))
		ins := func(id string, u int32) []change.Row {
			return rowsOf(m, change.Insert, 0, modelRow{id, u, 0, 1}.image())
		}
		del := func(id string, u int32) []change.Row {
			return rowsOf(m, change.Delete, 0, modelRow{id, u, 0, 1}.image())
		}
		upd := func(id string, from, to int32) []change.Row {
			return rowsOf(m, change.Update, 0, modelRow{id, from, 0, 1}.image(), modelRow{id, to, 0, 1}.image())
		}
		steps := []struct {
			what    string
			before  func()
			rows    []change.Row
			crowded bool
		}{
			{what: "fresh values", rows: slices.Concat(ins("a", 1), ins("b", 2), upd("c", 30, 3))},
			{what: "values given up", rows: slices.Concat(del("d", 4), upd("e", 5, 50))},
			{what: "the same value of another key", rows: slices.Concat(rowsOf(m, change.Insert, 0, modelRow{"d2", 0, 4, 1}.image()), ins("d3", 6))},
			{what: "a value of an epoch before", rows: slices.Concat(ins("f", 4), ins("g", 7)), crowded: true},
			{what: "another one, by an update", rows: slices.Concat(upd("h", 0, 5), ins("i", 9)), crowded: true},
			{what: "a value of the same epoch", rows: slices.Concat(del("j", 10), ins("k", 10)), crowded: true},
			{what: "a value that the row itself keeps", rows: slices.Concat(upd("l", 11, 11), ins("m", 12))},
			{what: "a primary key that is spelt anew", rows: slices.Concat(rowsOf(m, change.Update, 0, modelRow{"l", 11, 0, 1}.image(), modelRow{"L", 11, 0, 1}.image()), ins("m", 23)), crowded: true},
			{what: "the same where the unique value is NULL", rows: slices.Concat(rowsOf(m, change.Update, 0, modelRow{"l", 0, 0, 1}.image(), modelRow{"L", 0, 0, 1}.image()), ins("m", 24))},
			{what: "NULL is no value", rows: slices.Concat(upd("n", 13, 0), upd("o", 0, 14), ins("p", 0))},
			{what: "long ago", before: func() { time.Sleep(2*spentFor + time.Second) }, rows: del("q", 15)},
			{what: "a value given up long ago", rows: slices.Concat(ins("r", 4), ins("s", 16))},
			{what: "an earlier run", before: a.spent.unknown, rows: slices.Concat(ins("t", 17), ins("u", 18)), crowded: true},
			{what: "the same, a while later", before: func() { time.Sleep(spentFor + time.Second) }, rows: slices.Concat(ins("v", 19), ins("w", 20))},
			{what: "more than are kept", before: func() { fillSpent(a.spent) }, rows: slices.Concat(ins("x", 21), ins("y", 22)), crowded: true},
		}
		for _, s := range steps {
			if s.before != nil {
				s.before()
			}
			e, err := mergeRows(t.Context(), a, s.rows)
			if err != nil {
				t.Fatal(err)
			}
			p, err := planEpoch(e, 2, a.spent)
			if err != nil {
				t.Fatal(err)
			}
			if s.crowded == (len(p.leader) == 0) {
				t.Errorf("%s: %d steps on the leader, %d followers, want the leader: %v", s.what, len(p.leader), len(p.followers), s.crowded)
			}
		}
	})
}

func fillSpent(s *spentValues) {
	for i := range uint64(maxSpent) {
		s.young[i] = struct{}{}
	}
}
