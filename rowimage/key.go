package rowimage

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/binseal/binseal/schema"
)

// maxKeyParts is the largest number of columns in a key (the server's MAX_REF_PARTS).
const maxKeyParts = 16

// keyValues are the values of a key's parts, in the key's order.
type keyValues [maxKeyParts][]byte

// keyPart is one column of a key.
type keyPart struct {
	column int
	prefix int                                 // As in schema.KeyPart.
	weigh  func(dst, s []byte) ([]byte, error) // For text; nil for the others.
}

// keyPlan says how to get a key's bytes out of an image.
type keyPlan struct {
	key   *schema.Key
	parts []keyPart
	slot  []int8 // Per column up to the key's last: its part, or -1.
}

// bindKeys prepares the identity and each key that can be weighed.
func (l *Layout) bindKeys() error {
	for _, k := range l.table.UniqueKeys() {
		if k.ZoneBound {
			// The target would compute it in the applier's zone: rows could collide there that do not on the source.
			return refuseZoneKey(l.table, k)
		}
		if k != l.table.Identity && !k.Weighed {
			continue
		}
		p, err := l.planKey(k)
		if err != nil {
			return err
		}
		if k.Weighed {
			l.keys = append(l.keys, p)
		}
		if k == l.table.Identity {
			l.identity = p
			l.identityColumns = l.identityNames(p)
		}
	}
	return nil
}

// identityNames are the columns of a key as AppendIdentity's counterpart.
func (l *Layout) identityNames(p *keyPlan) string {
	names := make([]string, len(p.parts))
	for i, part := range p.parts {
		names[i] = l.columns[part.column].name
	}
	if len(names) == 1 {
		return names[0]
	}
	return "(" + strings.Join(names, ",") + ")"
}

// planKey checks that each part of a key is a column whose values can be taken apart.
func (l *Layout) planKey(k *schema.Key) (*keyPlan, error) {
	if len(k.Parts) > maxKeyParts {
		return nil, mismatch(l.source, l.table, nil, "key %s has %d parts", schema.QuoteName(k.Name), len(k.Parts))
	}
	p := &keyPlan{key: k}
	for n, part := range k.Parts {
		if part.Column < 0 || part.Column >= len(l.columns) {
			return nil, mismatch(l.source, l.table, nil, "key %s has a part that is no column", schema.QuoteName(k.Name))
		}
		c, col := &l.table.Columns[part.Column], &l.columns[part.Column]
		planned := keyPart{column: part.Column, prefix: part.Prefix}
		switch {
		case col.kind == kindUnknown, col.kind == kindJSON, col.kind == kindGeometry, col.kind == kindVector:
			return nil, refuse(l.table, c, "a unique key over a column of type %s is not carried over yet", c.ColumnType)
		case col.packed:
			return nil, refuse(l.table, c, "a unique key over a column that is COMPRESSED on the source is not carried over")
		case col.kind == kindText && k.Weighed:
			var ok bool
			if planned.weigh, ok = schema.Weigher(c.CollationID); !ok {
				return nil, refuse(l.table, c, "collation %s cannot be compared", c.Collation)
			}
		}
		for len(p.slot) <= part.Column {
			p.slot = append(p.slot, -1)
		}
		p.slot[part.Column] = int8(n)
		p.parts = append(p.parts, planned)
	}
	return p, nil
}

// pick takes the values of a key's parts out of an image; null is true as soon as one is NULL. Columns behind the
// key's last are not looked at.
func (l *Layout) pick(img []byte, p *keyPlan, vals *keyValues) (null bool, err error) {
	w, err := l.walk(img)
	if err != nil {
		return false, err
	}
	for i, slot := range p.slot {
		v, isNull, ok := w.next(i)
		if !ok {
			return false, l.valueError(i, errShort)
		}
		if slot < 0 {
			continue
		}
		if isNull {
			return true, nil
		}
		vals[slot] = v
	}
	return false, nil
}

// AppendKey writes the row's value of a unique key as bytes: two rows have the same bytes exactly when the server
// takes them for equal in that key, and bytes sort as the server's index does (nearly, for text). k must be one of
// Keys; null is true, and nothing is written, when a part is NULL: such a row collides with none.
//
// No key's bytes are the beginning of another's: parts of fixed width stand as they are, the others end with a
// mark that cannot occur in them. So 'ab','c' and 'a','bc' differ.
func (l *Layout) AppendKey(dst, img []byte, k *schema.Key) (out []byte, null bool, err error) {
	var plan *keyPlan
	for _, p := range l.keys {
		if p.key == k {
			plan = p
		}
	}
	if plan == nil {
		return dst, false, l.imageError(fmt.Errorf("key %s cannot be compared here", schema.QuoteName(k.Name)))
	}
	if len(plan.parts) == 1 {
		p := &plan.parts[0]
		v, null, err := l.only(img, p)
		if err != nil || null {
			return dst, null, err
		}
		if out, err = l.columns[p.column].appendKeyPart(dst, v, p); err != nil {
			return dst, false, l.valueError(p.column, err)
		}
		return out, false, nil
	}
	var vals keyValues
	if null, err = l.pick(img, plan, &vals); err != nil || null {
		return dst, null, err
	}
	out = dst
	for n := range plan.parts {
		p := &plan.parts[n]
		if out, err = l.columns[p.column].appendKeyPart(out, vals[n], p); err != nil {
			return dst, false, l.valueError(p.column, err)
		}
	}
	return out, false, nil
}

// only is pick of a key's only part.
func (l *Layout) only(img []byte, p *keyPart) (v []byte, null bool, err error) {
	w, err := l.walk(img)
	if err != nil {
		return nil, false, err
	}
	for i := range p.column + 1 {
		var ok bool
		if v, null, ok = w.next(i); !ok {
			return nil, false, l.valueError(i, errShort)
		}
	}
	return v, null, nil
}

// IdentityCounts reports that rows are found by one integer column. Then the bytes of AppendKey are its number, big-endian,
// with the sign's bit turned: they differ by one where the numbers do.
func (l *Layout) IdentityCounts() bool {
	return l.identity != nil && len(l.identity.parts) == 1 && l.columns[l.identity.parts[0].column].kind == kindInt
}

// Respelled reports whether two images hold the value of a key in different bytes, be it another value or the same ('a' and
// 'A' under a collation that ignores case), or one of them holds NULL. Of a prefix the whole value counts. k must be one of Keys.
func (l *Layout) Respelled(before, after []byte, k *schema.Key) (bool, error) {
	i := slices.IndexFunc(l.keys, func(p *keyPlan) bool { return p.key == k })
	if i < 0 {
		return false, l.imageError(fmt.Errorf("key %s cannot be compared here", schema.QuoteName(k.Name)))
	}
	if p := l.keys[i].parts; len(p) == 1 {
		old, oldNull, err := l.only(before, &p[0])
		if err != nil {
			return false, err
		}
		now, null, err := l.only(after, &p[0])
		return oldNull || null || !bytes.Equal(old, now), err
	}
	var old, now keyValues
	oldNull, err := l.pick(before, l.keys[i], &old)
	if err != nil {
		return false, err
	}
	if null, err := l.pick(after, l.keys[i], &now); err != nil || oldNull || null {
		return true, err
	}
	for n := range l.keys[i].parts {
		if !bytes.Equal(old[n], now[n]) {
			return true, nil
		}
	}
	return false, nil
}

// appendKeyPart writes one part of a key.
func (c *column) appendKeyPart(dst, v []byte, p *keyPart) (_ []byte, err error) {
	switch c.kind {
	case kindInt:
		dst = appendReversed(dst, v)
		if !c.unsigned {
			dst[len(dst)-len(v)] ^= 0x80
		}
		return dst, nil
	case kindYear, kindBit, kindTime, kindDatetime, kindTimestamp:
		return append(dst, v...), nil // They are stored in an order of bytes already.
	case kindDate, kindEnum, kindSet, kindOldDatetime, kindOldTimestamp:
		return appendReversed(dst, v), nil
	case kindOldTime:
		dst = appendReversed(dst, v)
		dst[len(dst)-len(v)] ^= 0x80
		return dst, nil
	case kindDecimal:
		return appendDecimalKey(dst, v), nil
	case kindFloat, kindDouble:
		return appendFloatKey(dst, v), nil
	case kindBinary:
		return appendPadded(dst, v, c.pad, p.prefix), nil
	case kindBytes:
		if p.prefix > 0 {
			v = v[:min(len(v), p.prefix)]
		}
		start := len(dst)
		return terminate(append(dst, v...), start), nil
	case kindText:
		if p.prefix > 0 {
			v = c.firstCharacters(v, p.prefix)
		}
		start := len(dst)
		if dst, err = p.weigh(dst, v); err != nil {
			return dst, err
		}
		return terminate(dst, start), nil
	}
	return dst, errCorrupt
}

// appendReversed writes a little-endian number big-endian.
func appendReversed(dst, v []byte) []byte {
	for i := len(v) - 1; i >= 0; i-- {
		dst = append(dst, v[i])
	}
	return dst
}

// appendDecimalKey writes a DECIMAL, which is stored in an order of bytes. A negative zero, all bits of zero
// inverted, becomes zero.
func appendDecimalKey(dst, v []byte) []byte {
	start := len(dst)
	dst = append(dst, v...)
	if v[0] != 0x7f {
		return dst
	}
	for _, b := range v[1:] {
		if b != 0xff {
			return dst
		}
	}
	clear(dst[start:])
	dst[start] = 0x80
	return dst
}

// appendFloatKey writes a FLOAT or DOUBLE so that bytes sort as the numbers do: the sign bit inverted, and all bits
// of a negative number. 0 and -0 are one key for the server.
func appendFloatKey(dst, v []byte) []byte {
	u, signBit := littleEndian(v), uint64(1)<<(8*len(v)-1)
	switch {
	case u == signBit, u&signBit == 0:
		u |= signBit
	default:
		u = ^u
	}
	for i := len(v) - 1; i >= 0; i-- {
		dst = append(dst, byte(u>>(8*i)))
	}
	return dst
}

// appendPadded writes a BINARY(n) in its full width, or its prefix.
func appendPadded(dst, v []byte, width, prefix int) []byte {
	if prefix > 0 {
		width = min(width, prefix)
	}
	v = v[:min(len(v), width)]
	dst = append(dst, v...)
	for range width - len(v) {
		dst = append(dst, 0)
	}
	return dst
}

// firstCharacters cuts a text to its first n characters.
func (c *column) firstCharacters(v []byte, n int) []byte {
	if len(v) <= n {
		return v
	}
	if !c.utf8 {
		return v[:n]
	}
	end := 0
	for ; n > 0 && end < len(v); n-- {
		_, size := utf8.DecodeRune(v[end:])
		end += size
	}
	return v[:end]
}

// terminate ends a part of variable length that starts at start: a zero byte in it becomes 00 FF, and 00 01 marks
// its end. Bytes then sort as before, and a shorter part before the longer ones that it begins.
func terminate(dst []byte, start int) []byte {
	zeros := bytes.Count(dst[start:], zeroByte)
	from := len(dst) - 1
	for range zeros {
		dst = append(dst, 0xff)
	}
	for to := len(dst) - 1; zeros > 0; from-- {
		if dst[from] == 0 {
			dst[to], dst[to-1] = 0xff, 0
			to -= 2
			zeros--
			continue
		}
		dst[to] = dst[from]
		to--
	}
	return append(dst, 0, 1)
}

var zeroByte = []byte{0}
