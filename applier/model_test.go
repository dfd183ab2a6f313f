package applier

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// table is a table in memory, with a primary key and unique constraints that are enforced at once, row by row, as
// InnoDB does. The primary key is not case-sensitive.
type table struct {
	unique int // How many of the columns u and w are unique.
	rows   map[string]modelRow
}

func newTable(unique int) *table { return &table{unique: unique, rows: map[string]modelRow{}} }

func keyOf(id string) string { return strings.ToLower(id) }

func (t *table) clone() *table { return &table{unique: t.unique, rows: maps.Clone(t.rows)} }

// uniques are the row's values in the secondary unique keys, NULL as 0.
func (t *table) uniques(r modelRow) []int32 { return []int32{r.u, r.w}[:t.unique] }

// conflict is the violation that r would be beside the rows other than but.
func (t *table) conflict(r modelRow, but string) error {
	for key, other := range t.rows {
		if key == but {
			continue
		}
		if key == keyOf(r.id) {
			return fmt.Errorf("duplicate primary key %q", r.id)
		}
		for i, n := range t.uniques(r) {
			if n != 0 && t.uniques(other)[i] == n {
				return fmt.Errorf("rows %q and %q meet on %d in unique key %d", r.id, other.id, n, i)
			}
		}
	}
	return nil
}

func (t *table) insert(r modelRow) error {
	if err := t.conflict(r, ""); err != nil {
		return err
	}
	t.rows[keyOf(r.id)] = r
	return nil
}

func (t *table) remove(id string) error {
	if _, ok := t.rows[keyOf(id)]; !ok {
		return fmt.Errorf("no row %q to delete", id)
	}
	delete(t.rows, keyOf(id))
	return nil
}

// replace is an update found by the key of before.
func (t *table) replace(before, after modelRow) error {
	old, ok := t.rows[keyOf(before.id)]
	if !ok {
		return fmt.Errorf("no row %q to update", before.id)
	}
	if old != before {
		return fmt.Errorf("row %q is not as the plan thinks", before.id)
	}
	if err := t.conflict(after, keyOf(before.id)); err != nil {
		return err
	}
	delete(t.rows, keyOf(before.id))
	t.rows[keyOf(after.id)] = after
	return nil
}

// drawRow draws from few values, so that rows meet.
func drawRow(t *rapid.T) modelRow {
	return modelRow{
		id: rapid.SampledFrom([]string{"a", "A", "b", "B", "c", "d", "e", "f", "G", "h"}).Draw(t, "id"),
		u:  rapid.Int32Range(0, 6).Draw(t, "u"), w: rapid.Int32Range(0, 6).Draw(t, "w"), v: rapid.Int32Range(1, 3).Draw(t, "v"),
	}
}

// drawChanges makes n random valid changes of the source's table and gives them as its log has them.
func drawChanges(t *rapid.T, source *table, m *change.TableMap, n int) []change.Row {
	var rows []change.Row
	for range n {
		keys := slices.Sorted(maps.Keys(source.rows))
		op := change.Insert
		if len(keys) > 0 {
			op = rapid.SampledFrom([]change.Op{change.Insert, change.Update, change.Update, change.Update, change.Delete}).Draw(t, "op")
		}
		r := drawRow(t)
		if op == change.Insert {
			if source.insert(r) == nil {
				rows = append(rows, rowsOf(m, op, 0, r.image())...)
			}
			continue
		}
		old := source.rows[rapid.SampledFrom(keys).Draw(t, "which")]
		if op == change.Delete {
			_ = source.remove(old.id)
			rows = append(rows, rowsOf(m, op, 0, old.image())...)
			continue
		}
		if rapid.Bool().Draw(t, "keeps its key") {
			r.id = old.id
		}
		if other := source.rows[rapid.SampledFrom(keys).Draw(t, "with")]; other != old && rapid.Bool().Draw(t, "swap") {
			rows = append(rows, swap(source, m, old, other)...)
		} else if source.replace(old, r) == nil {
			rows = append(rows, rowsOf(m, op, 0, old.image(), r.image())...)
		}
	}
	return rows
}

// swap lets two rows exchange their unique values, by way of NULL as a source has to.
func swap(source *table, m *change.TableMap, a, b modelRow) []change.Row {
	var rows []change.Row
	for _, c := range [][2]modelRow{
		{a, {a.id, 0, 0, a.v}}, {b, {b.id, a.u, a.w, b.v}}, {{a.id, 0, 0, a.v}, {a.id, b.u, b.w, a.v}},
	} {
		if source.replace(c[0], c[1]) != nil {
			panic("a swap by way of NULL is always possible")
		}
		rows = append(rows, rowsOf(m, change.Update, 0, c[0].image(), c[1].image())...)
	}
	return rows
}

// act is what a step does to one row.
type act struct {
	verb verb
	row  *netChange
}

func actsOf(steps []step) []act {
	var acts []act
	for _, s := range steps {
		for _, r := range s.rows {
			acts = append(acts, act{s.verb, r})
		}
	}
	return acts
}

// do executes one act as the statements of writer do.
func (t *table) do(a act) error {
	switch a.verb {
	case deleteRows:
		before := parseModelRow(a.row.before)
		return t.remove(before.id)
	case deleteTouched:
		img := a.row.before
		if img == nil {
			img = a.row.last
		}
		_ = t.remove(parseModelRow(img).id) // Whatever is there goes.
		return nil
	case updateRows:
		return t.replace(parseModelRow(a.row.before), parseModelRow(a.row.after))
	case insertRows:
		return t.insert(parseModelRow(a.row.after))
	}
	return fmt.Errorf("unexpected verb %d", a.verb)
}

// doAll executes the sessions' acts, interleaved at random; each session keeps its order.
func (t *table) doAll(r *rapid.T, sessions ...[]act) error {
	for {
		sessions = slices.DeleteFunc(sessions, func(s []act) bool { return len(s) == 0 })
		if len(sessions) == 0 {
			return nil
		}
		i := 0
		if len(sessions) > 1 {
			i = rapid.IntRange(0, len(sessions)-1).Draw(r, "next session")
		}
		if err := t.do(sessions[i][0]); err != nil {
			return err
		}
		sessions[i] = sessions[i][1:]
	}
}
