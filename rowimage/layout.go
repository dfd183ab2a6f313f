package rowimage

import (
	"bytes"
	"errors"

	"github.com/binseal/binseal/schema"
)

// The methods below take one raw full image (all columns present), from its null bitmap on, as Split cuts it. They
// append to dst and return it; on an error they return dst as it was given. Errors are faults for values that are
// not carried over, and plain errors for images that are cut off or damaged.

// errTrailing: an image goes on behind its last column, so it is not an image of this table.
var errTrailing = errors.New("longer than its columns")

// errKeyless: the caller asked for an identity that the table does not have.
var errKeyless = errors.New("the table has no identity key")

// walker steps through the columns of an image.
type walker struct {
	wires []wire
	img   []byte
	at    int // Where the next value begins.
}

// walk starts at an image's first column.
func (l *Layout) walk(img []byte) (walker, error) {
	n := bitmapLen(len(l.wires))
	if len(img) < n {
		return walker{}, l.imageError(errShort)
	}
	return walker{wires: l.wires, img: img, at: n}, nil
}

// next gives the value of column i, which must be the one after the last; ok is false when the image is cut off.
func (w *walker) next(i int) (v []byte, null, ok bool) {
	if bit(w.img, i) {
		return nil, true, true
	}
	at, n := w.at, int(w.wires[i].width)
	if p := int(w.wires[i].prefix); p != 0 {
		if len(w.img)-at < p {
			return nil, false, false
		}
		n = int(littleEndian(w.img[at : at+p]))
		at += p
	}
	if len(w.img)-at < n {
		return nil, false, false
	}
	w.at = at + n
	return w.img[at:w.at], false, true
}

// ended reports whether the image has nothing behind its last column.
func (w *walker) ended() bool { return w.at == len(w.img) }

// holds reports whether is holds for a value of an image, which stands in column i and is not NULL.
func (l *Layout) holds(img []byte, is func(i int, v []byte) bool) (bool, error) {
	w, err := l.walk(img)
	if err != nil {
		return false, err
	}
	for i := range l.columns {
		v, null, ok := w.next(i)
		if !ok {
			return false, l.valueError(i, errShort)
		}
		if !null && is(i, v) {
			return true, nil
		}
	}
	return false, nil
}

// InsertColumns are the columns of AppendTuple: "`a`,`b`". Generated columns are not among them.
func (l *Layout) InsertColumns() string { return l.insertColumns }

// AppendTuple writes a row for INSERT: "(1,'x',NULL)", in the order of InsertColumns.
func (l *Layout) AppendTuple(dst, img []byte) ([]byte, error) {
	w, err := l.walk(img)
	if err != nil {
		return dst, err
	}
	out, sep := dst, byte('(')
	for i := range l.columns {
		v, null, ok := w.next(i)
		if !ok {
			return dst, l.valueError(i, errShort)
		}
		c := &l.columns[i]
		if !c.written {
			continue
		}
		out = append(out, sep)
		sep = ','
		if null {
			out = append(out, "NULL"...)
		} else if out, err = c.appendLiteral(out, v); err != nil {
			return dst, l.valueError(i, err)
		}
	}
	if !w.ended() {
		return dst, l.imageError(errTrailing)
	}
	return append(out, ')'), nil
}

// IdentityColumns are the columns of AppendIdentity: "`id`", or "(`a`,`b`)" for a key of several; "" for a keyless
// table.
func (l *Layout) IdentityColumns() string { return l.identityColumns }

// AppendIdentity writes the row's identity for WHERE columns IN (…): "5", or "(5,'x')" for a key of several columns.
func (l *Layout) AppendIdentity(dst, img []byte) ([]byte, error) {
	var vals keyValues
	if err := l.pickIdentity(img, &vals); err != nil {
		return dst, err
	}
	parts := l.identity.parts
	if len(parts) == 1 {
		out, err := l.columns[parts[0].column].appendOperand(dst, vals[0])
		if err != nil {
			return dst, l.valueError(parts[0].column, err)
		}
		return out, nil
	}
	out, sep := dst, byte('(')
	for n, p := range parts {
		out = append(out, sep)
		sep = ','
		var err error
		if out, err = l.columns[p.column].appendRowOperand(out, vals[n]); err != nil {
			return dst, l.valueError(p.column, err)
		}
	}
	return append(out, ')'), nil
}

// AppendIdentityMatch writes the row's identity as a predicate: "`a`=5 AND `b`='x'".
func (l *Layout) AppendIdentityMatch(dst, img []byte) ([]byte, error) {
	var vals keyValues
	if err := l.pickIdentity(img, &vals); err != nil {
		return dst, err
	}
	out := dst
	for n, p := range l.identity.parts {
		if n > 0 {
			out = append(out, " AND "...)
		}
		c := &l.columns[p.column]
		out = append(append(out, c.name...), '=')
		var err error
		if out, err = c.appendOperand(out, vals[n]); err != nil {
			return dst, l.valueError(p.column, err)
		}
	}
	return out, nil
}

// pickIdentity takes the values of the identity's columns out of an image.
func (l *Layout) pickIdentity(img []byte, vals *keyValues) error {
	if l.identity == nil {
		return l.imageError(errKeyless)
	}
	null, err := l.pick(img, l.identity, vals)
	if err == nil && null {
		err = l.imageError(errors.New("NULL in the identity key"))
	}
	return err
}

// AppendSet writes what an update changes: "`c`=1,`d`=NULL", the columns whose raw bytes differ, also those of
// the identity ('a' becoming 'A' is a change although the key is equal). A column ON UPDATE CURRENT_TIMESTAMP is
// written whenever another one is: left out, the server would set it by itself. changed is false, and nothing is
// written, when the images differ in no column that can be written.
//
// A limit of the server: an UPDATE whose only effect is to replace a JSON document by one that compares as equal (1
// by 1.0) leaves the row as it is. No source logs such an update, but two merged ones can come to it.
func (l *Layout) AppendSet(dst, before, after []byte) (out []byte, changed bool, err error) {
	b, err := l.walk(before)
	if err != nil {
		return dst, false, err
	}
	a, err := l.walk(after)
	if err != nil {
		return dst, false, err
	}
	out = dst
	for i := range l.columns {
		old, oldNull, ok1 := b.next(i)
		v, null, ok2 := a.next(i)
		if !ok1 || !ok2 {
			return dst, false, l.valueError(i, errShort)
		}
		c := &l.columns[i]
		differs := oldNull != null || !bytes.Equal(old, v)
		if !c.written || !differs && !c.onUpdate {
			continue
		}
		changed = changed || differs
		if len(out) > len(dst) {
			out = append(out, ',')
		}
		out = append(append(out, c.name...), '=')
		if null {
			out = append(out, "NULL"...)
		} else if out, err = c.appendLiteral(out, v); err != nil {
			return dst, false, l.valueError(i, err)
		}
	}
	if !a.ended() || !b.ended() {
		return dst, false, l.imageError(errTrailing)
	}
	if !changed {
		return dst, false, nil
	}
	return out, true, nil
}

// AppendMatch writes a predicate that holds for exactly the rows whose every column has the image's value, for a
// table without a key: byte-exact where the server's comparison is not, and NULL-safe. Generated columns are left
// out: they follow from the others.
func (l *Layout) AppendMatch(dst, img []byte) ([]byte, error) {
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
		c := &l.columns[i]
		if !c.written {
			continue
		}
		if len(out) > len(dst) {
			out = append(out, " AND "...)
		}
		if out, err = c.appendPredicate(out, v, null); err != nil {
			return dst, l.valueError(i, err)
		}
	}
	if !w.ended() {
		return dst, l.imageError(errTrailing)
	}
	return out, nil
}

// Keys lists the unique keys that AppendKey accepts: those of Table that are Weighed, the identity first.
func (l *Layout) Keys() []*schema.Key {
	keys := make([]*schema.Key, len(l.keys))
	for i, p := range l.keys {
		keys[i] = p.key
	}
	return keys
}
