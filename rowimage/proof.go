package rowimage

import (
	"slices"

	"github.com/binseal/binseal/change"
)

// A stored generated column is computed by the target, in the applier's session. Where its expression may follow a setting
// of the session (schema.Column.SessionBound), the value that the source has stored is in the row's image, and AppendProof
// asks whether the target's is the same. Worked example, q DECIMAL(20,8) AS (a/b) STORED, and the row (7, 1, 3, 0.33330000):
//
//	INSERT INTO t (id,a,b) VALUES (7,1,3)
//	UPDATE t SET id=id WHERE id=7 AND q<=>0.33330000   -- matches no row where the source's session had another div_precision_increment

// NeedsProof reports that AppendProof must follow each write of a row.
func (l *Layout) NeedsProof() bool { return len(l.bound) > 0 }

// AppendProof writes, for a row that an insert or update r has just written, an assignment that changes nothing and a
// condition that holds only while each bound column is as in the image: "`id`=`id` WHERE `id`=7 AND `q`<=>0.33330000".
// unique is false when the condition may hold for several rows, which are then equal in all that is compared; some is
// false when r has nothing to prove. A partial image that has a column from which a bound one is made, but not that one,
// is refused.
func (l *Layout) AppendProof(dst []byte, r *change.Row) (out []byte, unique, some bool, err error) {
	after, row, err := l.cellsAfter(r)
	if err != nil {
		return dst, false, false, err
	}
	var proved []int
	for _, i := range l.bound {
		switch {
		case after[i].there:
			proved = append(proved, i)
		case l.remade(i, after):
			return dst, false, false, l.missing(i, "the target computes this generated column anew, perhaps under other settings than the session that wrote the row")
		}
	}
	if len(proved) == 0 {
		return dst, false, false, nil
	}
	name := l.columns[l.unchanged()].name
	out = append(append(append(append(dst, name...), '='), name...), " WHERE "...)
	key, err := l.partialKey(presentIn(row))
	if err != nil {
		key = nil // An insert may leave out a part of the key that took its default.
	}
	if out, err = l.appendCellMatch(out, row, key); err != nil {
		return dst, false, false, err
	}
	for _, i := range proved {
		if out, err = l.columns[i].appendPredicate(append(out, " AND "...), row[i].value, row[i].null); err != nil {
			return dst, false, false, l.valueError(i, err)
		}
	}
	return out, key != nil, true, nil
}

// remade reports that a write of these cells makes the target compute generated column i anew.
func (l *Layout) remade(i int, after []cell) bool {
	return slices.ContainsFunc(l.columnsOf(after), func(j int) bool {
		return slices.Contains(l.table.Columns[i].Reads, l.table.Columns[j].Name)
	})
}

// unchanged is a column that can be assigned to itself. In a strict session that is an error for an ENUM with index 0.
func (l *Layout) unchanged() int {
	written := func(c column) bool { return c.written }
	if i := slices.IndexFunc(l.columns, func(c column) bool { return c.written && c.kind != kindEnum }); i >= 0 {
		return i
	}
	return slices.IndexFunc(l.columns, written)
}

// presentIn is the bitmap of the cells that are there.
func presentIn(cells []cell) []byte {
	present := make([]byte, bitmapLen(len(cells)))
	for i := range cells {
		if cells[i].there {
			present[i>>3] |= 1 << (i & 7)
		}
	}
	return present
}
