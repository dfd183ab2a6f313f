package applier

import (
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// A row that holds index 0 of an ENUM, the mark of an invalid value, is written by a statement of its own that is not
// strict, and all its other columns a second time, strictly, in the same transaction: see rowimage/enumzero.go and
// docs/decisions/0018-enum-zero.md. A value that the first statement had to change is an error in the second, and
// nothing is committed. (In a list of rows a NULL for a NOT NULL column would become a zero; alone it is an error.)

// apart takes the rows out that special names; both parts keep their order.
func apart(rows []*netChange, special func(*netChange) (bool, error)) (rest, taken []*netChange, err error) {
	for i, c := range rows {
		is, err := special(c)
		switch {
		case err != nil:
			return nil, nil, err
		case !is && taken != nil:
			rest = append(rest, c)
		case is:
			if taken == nil {
				rest = slices.Clone(rows[:i])
			}
			taken = append(taken, c)
		}
	}
	if taken == nil {
		rest = rows
	}
	return rest, taken, nil
}

// wholeRow is the insert of a full image.
func wholeRow(after []byte) *change.Row {
	return &change.Row{RowsHeader: &change.RowsHeader{Op: change.Insert, Full: true}, After: after}
}

// present is the bitmap of a partial after-image; nil for a full one.
func present(r *change.Row) []byte {
	if r.Full {
		return nil
	}
	return r.PresentAfter
}

// insertEnumZero writes one row with index 0.
func (w *writer) insertEnumZero(l *rowimage.Layout, r *change.Row, x expectation) error {
	columns, err := l.InsertColumns(), error(nil)
	if !r.Full {
		if columns, err = l.PartialInsertColumns(r.PresentAfter); err != nil {
			return err
		}
	}
	w.begin("INSERT ", mysqlconn.LaxHint, "/* binseal applier */ INTO ", l.Table().QuotedName(), " (", columns, ") VALUES ")
	w.room(r.After)
	if r.Full {
		w.buf, err = l.AppendTuple(w.buf, r.After)
	} else {
		w.buf, err = l.AppendPartialTuple(w.buf, r.After, r.PresentAfter)
	}
	if err != nil {
		return err
	}
	x.count = 1
	if err := w.end(x); err != nil {
		return err
	}
	return w.again(l, r, x.table)
}

// againVerb names the expectation of a second write: where it finds no row, the first has changed a value.
const againVerb = "strict second write"

// again writes the row's other columns strictly.
func (w *writer) again(l *rowimage.Layout, r *change.Row, t *schema.Table) error {
	return w.second(r, t, againVerb, l.AppendAgain)
}

// second follows the write of a row with another UPDATE, which must match it. tail writes what stands behind SET: some is
// false when nothing is to be asked, unique when the condition cannot hold for several rows.
func (w *writer) second(r *change.Row, t *schema.Table, verb string, tail func(dst []byte, r *change.Row) (out []byte, unique, some bool, err error)) error {
	w.begin("UPDATE /* binseal applier */ ", t.QuotedName(), " SET ")
	w.room(r.After)
	out, unique, some, err := tail(w.buf, r)
	if err != nil {
		return err
	}
	if !some {
		w.abandon()
		return nil
	}
	w.buf = out
	if !unique {
		w.buf = append(w.buf, " LIMIT 1"...)
	}
	return w.end(expectation{count: 1, verb: verb, table: t})
}
