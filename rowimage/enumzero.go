package rowimage

import (
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
)

// Index 0 of an ENUM marks an invalid value: sessions of the source that are not strict, and INSERT IGNORE, leave it. A
// strict session refuses to write it, so the statement that does is not strict, and nothing then keeps the server from
// clipping the other columns. AppendAgain writes them a second time, strictly. Worked example, for the row
// (7, index 0, 'tea'):
//
//	INSERT /*+ SET_VAR(sql_mode='…') */ INTO t (id,e,item) VALUES (7,0,'tea')
//	UPDATE t SET id=7,item='tea' WHERE id=7   -- strict: an error where the first statement had to change a value

// HasEnumZero reports whether an image holds index 0 in an ENUM column that is written. present is the image's bitmap of
// columns, nil for a full one.
func (l *Layout) HasEnumZero(img, present []byte) (bool, error) {
	if !l.enums {
		return false, nil
	}
	if present != nil {
		cells, err := l.cells(img, present)
		return slices.ContainsFunc(l.columnsOf(cells), func(i int) bool { return l.columns[i].enumZero(cells[i]) }), err
	}
	return l.holds(img, func(i int, v []byte) bool { return l.columns[i].enumZero(cell{value: v}) })
}

func (c *column) enumZero(v cell) bool {
	return c.kind == kindEnum && c.written && !v.null && littleEndian(v.value) == 0
}

// ambiguous reports that the text of a member does not stand for it, or may not.
func ambiguous(member string) bool { return member == "" || strings.Contains(member, "?") }

// columnsOf lists the columns that are there.
func (l *Layout) columnsOf(cells []cell) []int {
	var there []int
	for i := range cells {
		if cells[i].there {
			there = append(there, i)
		}
	}
	return there
}

// AppendAgain writes, for a row that an insert or update r has just written, the columns of its after-image but those with
// index 0 or with JSON differences, and where the row is: "`id`=7,`item`='tea' WHERE `id`=7". The statement changes nothing, whichever of several
// identical rows it meets: it assigns what its condition has found. unique is false when the condition may hold for
// several rows, and some is false when there is no column to write.
func (l *Layout) AppendAgain(dst []byte, r *change.Row) (out []byte, unique, some bool, err error) {
	after, row, err := l.cellsAfter(r)
	if err != nil {
		return dst, false, false, err
	}
	out = dst
	for _, i := range l.columnsOf(after) {
		c := &l.columns[i]
		if !c.written || c.enumZero(after[i]) || c.isDiffs(after[i]) {
			continue
		}
		if len(out) > len(dst) {
			out = append(out, ',')
		}
		if out, err = c.appendCell(append(append(out, c.name...), '='), after[i]); err != nil {
			return dst, false, false, l.valueError(i, err)
		}
	}
	if len(out) == len(dst) {
		return dst, false, false, nil
	}
	// An insert may leave out a part of the key that took its default: then all that it has written finds the row.
	key, err := l.partialKey(presentIn(row))
	if err != nil {
		key = nil
	}
	if out, err = l.appendCellMatch(append(out, " WHERE "...), row, key); err != nil {
		return dst, false, false, err
	}
	return out, key != nil, true, nil
}

// cellsAfter takes apart what r has written, and the whole of the row that is known behind it: what an update's
// after-image leaves out is as it was before.
func (l *Layout) cellsAfter(r *change.Row) (after, row []cell, err error) {
	if r.Full {
		after, err = l.cells(r.After, l.all)
		return after, after, err
	}
	if after, err = l.cells(r.After, r.PresentAfter); err != nil || r.Op == change.Insert {
		return after, after, err
	}
	if row, err = l.cells(r.Before, r.PresentBefore); err != nil {
		return nil, nil, err
	}
	for _, i := range l.columnsOf(after) {
		row[i] = after[i]
	}
	return after, row, nil
}

// IdentityByNumber reports whether a row can be found by AppendIdentityMatch alone, and not by AppendIdentity: in row
// constructors the server compares ENUM and SET as text. Index 0 of an ENUM has the text of its member ”, and a SET that
// has a member ” is not found by its text at all.
// A member outside of the basic multilingual plane is not known here: information_schema, in utf8mb3, shows a ? for it.
func (l *Layout) IdentityByNumber(img []byte) (bool, error) {
	if !l.enums || l.identity == nil || len(l.identity.parts) == 1 {
		return false, nil
	}
	var vals keyValues
	if err := l.pickIdentity(img, &vals); err != nil {
		return false, err
	}
	for n, p := range l.identity.parts {
		c, v := &l.columns[p.column], vals[n]
		switch c.kind {
		case kindEnum:
			index := littleEndian(v)
			if index == 0 || index <= uint64(len(c.members)) && ambiguous(c.members[index-1]) {
				return true, nil
			}
		case kindSet:
			if slices.ContainsFunc(c.members, ambiguous) {
				return true, nil
			}
		}
	}
	return false, nil
}
