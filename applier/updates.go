package applier

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/rowimage"
)

// joinedUpdates are rows whose updates write the same columns.
type joinedUpdates struct {
	columns []byte // The bitmap.
	rows    []*netChange
	united  bool // Not every row changes all of them: see unite.
}

// joinFrom is how many updates share a statement at least: the server prepares such a one at the cost of some rows.
const joinFrom = 4

// updates writes the rows that change the same columns together, and the others one by one. The order among updates does
// not matter: those that meet on a unique value are not among them (see entangle).
func (w *writer) updates(s *step) error {
	l := s.table.layout
	groups, single, err := w.group(s)
	if err != nil {
		return err
	}
	x := expectation{verb: s.verb.String(), table: l.Table()}
	for _, g := range groups {
		alike, rest, err := g.byValues(l)
		if err != nil {
			return err
		}
		for _, rows := range alike {
			if err := w.updateAlike(l, rows, x); err != nil {
				return err
			}
		}
		head, tail := l.JoinedUpdate("/* binseal applier */", g.columns)
		err = w.list(rest, head, tail, x, func(dst []byte, c *netChange) ([]byte, error) {
			return l.AppendJoined(dst, c.before, c.after, g.columns)
		})
		if err != nil {
			return err
		}
	}
	for _, c := range single {
		if err := w.update(l, c); err != nil {
			return err
		}
	}
	return nil
}

// alikeFrom is how many rows that come to have the same values share a statement that gives them once. Tests lower it.
var alikeFrom = 16

const (
	maxAlike   = 8   // So many of such values are told apart within a step.
	alikeTrial = 256 // When no two of so many rows are alike, the others are not looked at.
)

// byValues parts rows by the values that they come to have. A statement over many rows of the source gives all of them the
// same most often, and so it costs the target a third less than a join. Worked example, v of six rows of which many like the
// first two follow:
//
//	1: v=new  2: v=new  3: v=5  4: v=new  5: v=8  6: v=new  …   alike [1 2 4 6 …], rest [3 5]
//
// Both keep the rows' order.
func (g *joinedUpdates) byValues(l *rowimage.Layout) (alike [][]*netChange, rest []*netChange, err error) {
	if g.united || len(g.rows) < alikeFrom { // What one row changes says nothing about the others of a united group.
		return nil, g.rows, nil
	}
	type class struct {
		values []byte
		rows   int
	}
	var classes []class
	var buf []byte
	const none = maxAlike // Of the rows that are like none of the classes.
	of := make([]uint8, len(g.rows))
	for i, c := range g.rows {
		if i == alikeTrial && !slices.ContainsFunc(classes, func(k class) bool { return k.rows > 1 }) {
			return nil, g.rows, nil
		}
		if buf, err = l.AppendValues(buf[:0], c.after, g.columns); err != nil {
			return nil, nil, err
		}
		k := slices.IndexFunc(classes, func(k class) bool { return bytes.Equal(k.values, buf) })
		if k < 0 && len(classes) < maxAlike {
			k, classes = len(classes), append(classes, class{values: bytes.Clone(buf)})
		}
		if k < 0 {
			of[i] = none
			continue
		}
		of[i] = uint8(k)
		classes[k].rows++
	}
	rows := make([][]*netChange, len(classes))
	for i, c := range g.rows {
		if k := of[i]; k != none && classes[k].rows >= alikeFrom {
			rows[k] = append(rows[k], c)
		} else {
			rest = append(rest, c)
		}
	}
	return slices.DeleteFunc(rows, func(r []*netChange) bool { return r == nil }), rest, nil
}

// updateAlike writes rows that come to have the same values in the columns that change.
func (w *writer) updateAlike(l *rowimage.Layout, rows []*netChange, x expectation) error {
	t := l.Table()
	set, _, err := l.AppendSet(nil, rows[0].before, rows[0].after)
	if err != nil {
		return err
	}
	return w.listed(l, rows, "UPDATE "+byIdentity(t)+"/* binseal applier */ "+t.QuotedName()+" SET "+string(set)+" WHERE ", x)
}

// group parts a step's rows by the columns that they write; single are those that keep statements of their own.
func (w *writer) group(s *step) (groups []*joinedUpdates, single []*netChange, err error) {
	l := s.table.layout
	if !w.joins || len(s.rows) < joinFrom || l.NeedsProof() { // A proof is due also where no written column changes.
		return nil, s.rows, nil
	}
	byColumns := map[string]*joinedUpdates{}
	var buf []byte
	for _, c := range s.rows {
		ch, err := l.Changed(buf, c.before, c.after)
		if err != nil {
			return nil, nil, err
		}
		buf = ch.Columns
		switch {
		case !ch.Any: // Changed and changed back within the epoch.
		case !ch.Joins:
			single = append(single, c)
		default:
			g := byColumns[string(ch.Columns)]
			if g == nil {
				g = &joinedUpdates{columns: bytes.Clone(ch.Columns)}
				byColumns[string(g.columns)] = g
				groups = append(groups, g)
			}
			g.rows = append(g.rows, c)
		}
	}
	if groups, err = unite(l, groups); err != nil {
		return nil, nil, err
	}
	groups = slices.DeleteFunc(groups, func(g *joinedUpdates) bool {
		if len(g.rows) >= joinFrom {
			return false
		}
		single = append(single, g.rows...)
		return true
	})
	return groups, single, nil
}

// uniteBytes is the largest image, in bytes, whose row may write values that it does not change.
const uniteBytes = 512

// unite makes one group of the small ones, which have too few rows for byValues; in it each row writes all columns that one of
// them changes. Near the source an epoch has a few rows of each table, a statement costs the target as much as some rows, and a
// column that keeps its value next to nothing. Worked example, of columns k, c and pad:
//
//	k: rows 1 2 3    c: rows 4 5    k,c,pad: row 6    one statement of six rows in place of six statements
//
// A row that has a value which cannot travel stays in its group, as does one that is large.
func unite(l *rowimage.Layout, groups []*joinedUpdates) ([]*joinedUpdates, error) {
	small := func(g *joinedUpdates) bool { return len(g.rows) < alikeFrom }
	union := &joinedUpdates{united: true}
	n := 0
	for _, g := range groups {
		if !small(g) {
			continue
		}
		if n++; n == 1 {
			union.columns = bytes.Clone(g.columns)
		}
		for i, bits := range g.columns {
			union.columns[i] |= bits
		}
	}
	if n < 2 {
		return groups, nil
	}
	for _, g := range groups {
		if !small(g) {
			continue
		}
		rest, taken, err := apart(g.rows, func(c *netChange) (bool, error) {
			if len(c.after) > uniteBytes {
				return false, nil
			}
			return l.ValuesJoin(c.after, union.columns)
		})
		if err != nil {
			return nil, err
		}
		g.rows, union.rows = rest, append(union.rows, taken...)
	}
	slices.SortFunc(union.rows, func(a, b *netChange) int { return cmp.Compare(a.key, b.key) })
	return append(groups, union), nil
}

// update writes one row.
func (w *writer) update(l *rowimage.Layout, c *netChange) error {
	zero, err := w.beginUpdate(l, c.after, nil)
	if err != nil {
		return err
	}
	w.room(c.after)
	set, changed, err := l.AppendSet(w.buf, c.before, c.after)
	if err != nil {
		return err
	}
	if !changed { // Changed and changed back within the epoch; what is generated may not be what it was.
		w.abandon()
	} else if err := w.updateOne(l, c, set, expectation{count: 1, verb: updateRows.String(), table: l.Table()}, zero); err != nil {
		return err
	}
	return w.prove(l, wholeRow(c.after), l.Table())
}

// updateOne ends the open UPDATE of one row; set is buf with what it sets.
func (w *writer) updateOne(l *rowimage.Layout, c *netChange, set []byte, x expectation, zero bool) (err error) {
	w.buf = append(set, " WHERE "...)
	if w.buf, err = l.AppendIdentityMatch(w.buf, c.before); err != nil {
		return err
	}
	if err = w.end(x); err != nil || !zero {
		return err
	}
	return w.again(l, wholeRow(c.after), x.table)
}

// beginUpdate opens an UPDATE up to what it sets: one that is not strict where the row comes to hold index 0 of an ENUM.
// present is nil for a full image.
func (w *writer) beginUpdate(l *rowimage.Layout, after, present []byte) (zero bool, err error) {
	hint := ""
	if zero, err = l.HasEnumZero(after, present); zero {
		hint = mysqlconn.LaxHint
	}
	w.begin("UPDATE ", hint, "/* binseal applier */ ", l.Table().QuotedName(), " SET ")
	return zero, err
}

// abandon takes the open statement back.
func (w *writer) abandon() {
	w.buf = w.buf[:max(w.start-1, 0)]
}
