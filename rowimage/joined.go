package rowimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/binseal/binseal/schema"
)

// Updates that change the same columns share a statement, at half the cost of one for each row:
//
//	UPDATE (VALUES ROW(1,'x'),ROW(2,'y')) AS n (k0,v0) STRAIGHT_JOIN `t` FORCE INDEX (`PRIMARY`) ON `t`.`id`=n.k0 SET `t`.`c`=n.v0
//
// The server gives each column of n one type for all rows. So only values take this way that are the same in any such
// type: integers below 2^63 (one above would make the others DECIMAL), numbers, texts of one character set, temporal values,
// which are texts, and JSON documents that a text can express. The others keep statements of their own.
// The order of the join, and its index, are fixed: a scan would wait for rows that other sessions of the epoch hold.

// maxJoined is the largest value, in bytes of the image, that travels through n; larger ones gain nothing.
const maxJoined = 1024

// Changed is what an update of one row writes.
type Changed struct {
	Columns []byte // The bitmap of columns that AppendSet would write.
	Any     bool   // There is one that differs.
	Beyond  bool   // There is one that differs and is not JSON.
	Joins   bool   // The row may share a statement with others of the same Columns. One with index 0 of an ENUM may not, changed or not.
}

// Changed finds out what an update from before to after writes. buf is scratch for the bitmap.
func (l *Layout) Changed(buf, before, after []byte) (ch Changed, err error) {
	b, err := l.walk(before)
	if err != nil {
		return ch, err
	}
	a, err := l.walk(after)
	if err != nil {
		return ch, err
	}
	n := bitmapLen(len(l.columns))
	ch.Columns = append(buf[:0], make([]byte, n)...)
	ch.Joins = l.joins
	for i := range l.columns {
		old, oldNull, ok1 := b.next(i)
		v, null, ok2 := a.next(i)
		if !ok1 || !ok2 {
			return ch, l.valueError(i, errShort)
		}
		c := &l.columns[i]
		ch.Joins = ch.Joins && !c.enumZero(cell{value: v, null: null})
		differs := oldNull != null || !bytes.Equal(old, v)
		if !c.written || !differs && !c.onUpdate {
			continue
		}
		ch.Any = ch.Any || differs
		ch.Beyond = ch.Beyond || differs && c.kind != kindJSON
		ch.Columns[i/8] |= 1 << (i % 8)
		ch.Joins = ch.Joins && (null || c.joinsValue(v))
	}
	if !a.ended() || !b.ended() {
		return ch, l.imageError(errTrailing)
	}
	if ch.Joins {
		ch.Joins, err = l.identityJoins(before)
	}
	return ch, err
}

// ValuesJoin reports whether what an image holds in the given columns may travel through n, also in those that the update does
// not change. Such a value may be one that the server holds and would not take, or not as it is: text of an old character set that
// was never checked, a FLOAT(M,D) at its limit. And what is made of such columns and stored would be made anew.
func (l *Layout) ValuesJoin(img, columns []byte) (bool, error) {
	if !l.unites {
		return false, nil
	}
	stays, err := l.holds(img, func(i int, v []byte) bool {
		c := &l.columns[i]
		return bit(columns, i) && !(c.joinsValue(v) && c.taken(v))
	})
	return err == nil && !stays, err
}

// taken reports that the server takes any value of the column that it may hold, or this one at least.
func (c *column) taken(v []byte) bool {
	switch c.kind {
	case kindText:
		return c.utf8 || !slices.ContainsFunc(v, func(b byte) bool { return b >= utf8.RuneSelf })
	case kindFloat, kindDouble:
		return false
	}
	return true
}

// identityJoins reports whether the row can be found by a column of n.
func (l *Layout) identityJoins(img []byte) (bool, error) {
	var vals keyValues
	if err := l.pickIdentity(img, &vals); err != nil {
		return false, err
	}
	for n, p := range l.identity.parts {
		if !l.columns[p.column].joinsValue(vals[n]) {
			return false, nil
		}
	}
	return true, nil
}

// joinsValue reports whether a value is the same in whatever type the server finds for it and its like.
func (c *column) joinsValue(v []byte) bool {
	if c.packed || len(v) > maxJoined {
		return false
	}
	switch c.kind {
	case kindInt:
		return !c.unsigned || len(v) < 8 || v[7] < 0x80
	case kindText:
		return !c.utf8 || utf8.Valid(v)
	case kindSet:
		return len(v) < 8 || v[7] < 0x80
	case kindJSON:
		return jsonIsText(v)
	case kindDecimal, kindFloat, kindDouble, kindEnum, kindBinary, kindBytes, kindDate, kindTime, kindDatetime, kindTimestamp:
		return true
	}
	return false
}

// joinsIdentity reports whether the server finds a row by its identity through a column of n as through the index: for
// integers, binary strings, and texts in the statement's own character set. A table whose rows are proved one by one has
// nothing to gain.
func (l *Layout) joinsIdentity() bool {
	if l.identity == nil || l.NeedsProof() {
		return false
	}
	for _, p := range l.identity.parts {
		c := &l.columns[p.column]
		switch {
		case p.prefix != 0 || c.packed:
			return false
		case c.kind == kindInt, c.kind == kindBinary, c.kind == kindBytes:
		case c.kind == kindText && l.table.Columns[p.column].Charset == "utf8mb4":
		default:
			return false
		}
	}
	return true
}

// JoinedUpdate is what stands before and behind the rows of a statement that updates these columns.
func (l *Layout) JoinedUpdate(comment string, columns []byte) (head, tail string) {
	t := schema.QuoteName(l.table.Name)
	var names, on, set []string
	for n, p := range l.identity.parts {
		key := fmt.Sprintf("k%d", n)
		names = append(names, key)
		if c := &l.table.Columns[p.column]; l.columns[p.column].kind == kindText {
			key = "n." + key + " COLLATE " + c.Collation
		} else {
			key = "n." + key
		}
		on = append(on, t+"."+l.columns[p.column].name+"="+key)
	}
	for i := range l.columns {
		if bit(columns, i) {
			v := fmt.Sprintf("v%d", len(set))
			names = append(names, v)
			set = append(set, t+"."+l.columns[i].name+"=n."+v)
		}
	}
	return "UPDATE " + comment + " (VALUES ", ") AS n (" + strings.Join(names, ",") + ") STRAIGHT_JOIN " + l.table.QuotedName() +
		" FORCE INDEX (" + schema.QuoteName(l.table.Identity.Name) + ") ON " + strings.Join(on, " AND ") + " SET " + strings.Join(set, ",")
}

// AppendValues writes what an image holds in the given columns, as bytes that are the same exactly when the values are.
func (l *Layout) AppendValues(dst, img, columns []byte) ([]byte, error) {
	w, err := l.walk(img)
	if err != nil {
		return dst, err
	}
	out := dst
	for i := range l.columns {
		v, null, ok := w.next(i)
		if !ok {
			return dst, l.valueError(i, errShort)
		}
		switch {
		case !bit(columns, i):
		case null:
			out = append(out, 0)
		default:
			out = append(binary.AppendUvarint(out, uint64(len(v))+1), v...)
		}
	}
	return out, nil
}

// AppendJoined writes a row of such a statement: "ROW(1,'x')", the identity as before and the columns as after.
func (l *Layout) AppendJoined(dst, before, after, columns []byte) ([]byte, error) {
	var vals keyValues
	if err := l.pickIdentity(before, &vals); err != nil {
		return dst, err
	}
	w, err := l.walk(after)
	if err != nil {
		return dst, err
	}
	out := append(dst, "ROW("...)
	for n, p := range l.identity.parts {
		if n > 0 {
			out = append(out, ',')
		}
		if out, err = l.columns[p.column].appendLiteral(out, vals[n]); err != nil {
			return dst, l.valueError(p.column, err)
		}
	}
	for i := range l.columns {
		v, null, ok := w.next(i)
		if !ok {
			return dst, l.valueError(i, errShort)
		}
		switch {
		case !bit(columns, i):
			continue
		case null:
			out = append(out, ",NULL"...)
		default:
			if out, err = l.columns[i].appendLiteral(append(out, ','), v); err != nil {
				return dst, l.valueError(i, err)
			}
		}
	}
	return append(out, ')'), nil
}
