package rowimage

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// CodePartial: a partial image leaves out what is needed to write its row.
const CodePartial = "BS-PARTIAL-IMAGE"

// The methods below write the rows of events whose Full is false: some session of the source runs with
// binlog_row_image=MINIMAL or NOBLOB. What MySQL 9.7 leaves out (TestPartialImagesOfARealServer):
//
//	MINIMAL  before: all but the primary key, or the first unique key of whole NOT NULL columns in the order of creation
//	         insert: columns that took a literal default; computed defaults and AUTO_INCREMENT are in the image
//	         update: columns that the statement, its triggers and ON UPDATE did not write
//	NOBLOB   BLOB and TEXT columns outside that key, unless they were written; it has JSON and spatial ones
//	both     nothing in before-images of tables without such a key
//
// They take the image with its bitmap of present columns, of Columns bits. Generated columns may be missing anywhere.

// Empty reports that images of the event have no column at all, as INSERT … VALUES () under MINIMAL: they take no bytes,
// so that not even their number can be told.
func Empty(h *change.RowsHeader) bool {
	none := func(bitmap []byte) bool { return countBits(bitmap, h.Table.Columns()) == 0 }
	return h.Op != change.Delete && none(h.PresentAfter) || h.Op != change.Insert && none(h.PresentBefore)
}

// CheckPartial says whether the rows of a partial event can be written at all: a *change.Fault CodePartial when its
// images lack what finds the row, or a value that the target would make up differently.
func (l *Layout) CheckPartial(h *change.RowsHeader) error {
	if h.Op == change.Insert {
		_, err := l.PartialInsertColumns(h.PresentAfter)
		return err
	}
	_, err := l.partialKey(h.PresentBefore)
	return err
}

// PartialInsertColumns are the columns of AppendPartialTuple: "`a`,`b`", or "". A column that is neither in the image
// nor here takes the target's default, which is a literal, and equal as long as the definitions are.
func (l *Layout) PartialInsertColumns(present []byte) (string, error) {
	var names []string
	for i := range l.columns {
		c := &l.columns[i]
		if !c.written {
			continue
		}
		if bit(present, i) {
			names = append(names, c.name)
			continue
		}
		switch l.table.Columns[i].Default {
		case schema.ComputedDefault:
			return "", l.missing(i, "the server computes its default, and would compute another one here")
		case schema.ImplicitDefault:
			if c.implicit() == "" {
				return "", l.missing(i, "it has no default")
			}
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ","), nil
}

// AppendPartialTuple writes a row for INSERT, in the order of PartialInsertColumns: "(1,'x',NULL)". A column that the
// source's insert left out although it has no default (sql_mode was not strict) gets the zero value that it took there:
// our strict session would refuse to leave it out.
func (l *Layout) AppendPartialTuple(dst, img, present []byte) ([]byte, error) {
	cells, err := l.cells(img, present)
	if err != nil {
		return dst, err
	}
	out := append(dst, '(')
	start := len(out)
	for i := range cells {
		c := &l.columns[i]
		if !c.written || !cells[i].there && l.table.Columns[i].Default != schema.ImplicitDefault {
			continue
		}
		if len(out) > start {
			out = append(out, ',')
		}
		if !cells[i].there {
			out = append(out, c.implicit()...)
		} else if out, err = c.appendCell(out, cells[i]); err != nil {
			return dst, l.valueError(i, err)
		}
	}
	return append(out, ')'), nil
}

// AppendPartialSet writes what an update changes, as AppendSet: the columns of the after-image, but not those that
// the before-image shows to be the same. A column ON UPDATE CURRENT_TIMESTAMP that the after-image leaves out keeps
// its value. Differences to JSON documents become changes of the row's own: see AppendDiffsDone.
func (l *Layout) AppendPartialSet(dst []byte, r *change.Row) (out []byte, changed bool, err error) {
	before, err := l.cells(r.Before, r.PresentBefore)
	if err != nil {
		return dst, false, err
	}
	after, err := l.cells(r.After, r.PresentAfter)
	if err != nil {
		return dst, false, err
	}
	out = dst
	for i := range after {
		c, a, b := &l.columns[i], after[i], before[i]
		differs := a.there && !(b.there && a.null == b.null && bytes.Equal(a.value, b.value))
		if c.isDiffs(a) {
			differs = len(a.value) > 1
			a.there = differs
		}
		if !c.written || !differs && !c.onUpdate {
			continue
		}
		changed = changed || differs
		if len(out) > len(dst) {
			out = append(out, ',')
		}
		if out, err = c.appendAssignment(out, a); err != nil {
			return dst, false, l.valueError(i, err)
		}
	}
	if !changed {
		return dst, false, nil
	}
	return out, true, nil
}

// AppendPartialMatch writes a predicate that finds the row by a before-image. unique is false for a table without a
// key: then the predicate holds for each of several identical rows.
func (l *Layout) AppendPartialMatch(dst, img, present []byte) (out []byte, unique bool, err error) {
	cells, err := l.cells(img, present)
	if err != nil {
		return dst, false, err
	}
	key, err := l.partialKey(present)
	if err != nil {
		return dst, false, err
	}
	out, err = l.appendCellMatch(dst, cells, key)
	return out, key != nil, err
}

// appendCellMatch compares the columns of key; all that are there, and byte-exactly, when key is nil.
func (l *Layout) appendCellMatch(dst []byte, cells []cell, key []int) (out []byte, err error) {
	out = dst
	for i := range cells {
		c := &l.columns[i]
		switch {
		case key == nil && (!c.written || !cells[i].there), key != nil && !slices.Contains(key, i):
			continue
		case key != nil && cells[i].null:
			return dst, l.valueError(i, fmt.Errorf("NULL in a key of NOT NULL columns"))
		}
		if len(out) > len(dst) {
			out = append(out, " AND "...)
		}
		if key == nil {
			out, err = c.appendPredicate(out, cells[i].value, cells[i].null)
		} else {
			out, err = c.appendOperand(append(append(out, c.name...), '='), cells[i].value)
		}
		if err != nil {
			return dst, l.valueError(i, err)
		}
	}
	return out, nil
}

// partialKey lists the columns of a unique key that a before-image shows whole; nil for a table without a key, whose
// before-images must be full. The source may have taken another unique key than our identity: it takes the first that
// was created, we the first by name.
func (l *Layout) partialKey(present []byte) ([]int, error) {
	if l.table.Identity == nil {
		for i := range l.columns {
			if l.columns[i].written && !bit(present, i) {
				return nil, l.missing(i, "the table has no key, so every column is needed to find the row")
			}
		}
		return nil, nil
	}
	for _, k := range l.table.UniqueKeys() {
		var columns []int
		usable := k == l.table.Identity || k.NotNull
		for _, p := range k.Parts {
			usable = usable && p.Column >= 0 && bit(present, p.Column) && l.columns[p.Column].kind != kindUnknown &&
				(p.Prefix == 0 || k == l.table.Identity)
			columns = append(columns, p.Column)
		}
		if usable {
			return columns, nil
		}
	}
	return nil, l.missing(l.table.Identity.Parts[0].Column, "no key of the target's table is whole in the before-image")
}

// cell is a column's value in an image.
type cell struct {
	value       []byte
	there, null bool // Not there: the image leaves the column out.
}

// cells takes an image apart: a null bitmap with a bit per present column, then the values that are not NULL.
func (l *Layout) cells(img, present []byte) ([]cell, error) {
	if len(present) < bitmapLen(len(l.columns)) {
		return nil, l.imageError(errShort)
	}
	size := bitmapLen(countBits(present, len(l.columns)))
	if len(img) < size {
		return nil, l.imageError(errShort)
	}
	cells := make([]cell, len(l.columns))
	nulls, rest, n := img[:size], img[size:], 0
	for i := range cells {
		if !bit(present, i) {
			continue
		}
		c := cell{there: true, null: bit(nulls, n)}
		n++
		if !c.null {
			var ok bool
			if c.value, rest, ok = l.wires[i].cut(rest); !ok {
				return nil, l.valueError(i, errShort)
			}
		}
		cells[i] = c
	}
	if len(rest) != 0 {
		return nil, l.imageError(errTrailing)
	}
	return cells, nil
}

// appendAssignment writes what makes the column hold v: itself, when v is not there.
func (c *column) appendAssignment(dst []byte, v cell) ([]byte, error) {
	if c.isDiffs(v) {
		return c.appendDiffs(dst, v.value[1:])
	}
	dst = append(append(dst, c.name...), '=')
	if !v.there {
		return append(dst, c.name...), nil
	}
	return c.appendCell(dst, v)
}

// appendCell writes a value that is there.
func (c *column) appendCell(dst []byte, v cell) ([]byte, error) {
	if v.null {
		return append(dst, "NULL"...), nil
	}
	return c.appendLiteral(dst, v.value)
}

// implicit is the value that a NOT NULL column without a default takes in an insert that leaves it out, under a
// sql_mode that allows it; "" when there is none that could be written (a JSON column then holds no document at all).
// Source: the manual, "Data Type Default Values".
func (c *column) implicit() string {
	switch c.kind {
	case kindInt, kindYear, kindDecimal, kindFloat, kindDouble, kindBit, kindSet:
		return "0"
	case kindEnum:
		return "1" // Its first member.
	case kindDate, kindDatetime, kindTimestamp:
		return "'0000-00-00'"
	case kindTime:
		return "'00:00:00'"
	case kindText, kindBinary, kindBytes:
		return "''"
	}
	return ""
}

// missing is the fault of a column that a partial image leaves out and that its row cannot do without.
func (l *Layout) missing(column int, why string) error {
	return &change.Fault{
		Code: CodePartial, Class: change.ClassPerson, Where: place(l.table, &l.table.Columns[column]),
		What: "a row image leaves out the column (the source's session runs with binlog_row_image other than FULL): " + why,
		Next: "set binlog_row_image=FULL on the source for sessions that change this table; a change already logged otherwise needs a new copy of the table",
	}
}
