package rowimage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// errJSONDiff: a difference names a place that its document does not have, or one that it has already.
var errJSONDiff = errors.New("a JSON difference that does not fit its document")

// jsonEdit is a JSON document, or a value within it, that differences change. Only the containers on the paths of
// differences are taken apart; everything else stays the bytes that it was.
type jsonEdit struct {
	typ byte
	raw []byte // The value's bytes, and no more.

	// Of a container that has been opened: its members or elements in order. A number ≥ 0 is the entry of that number in
	// from; another one n stands for own[^n]. Four bytes for an entry, since a document may have millions of them.
	opened bool
	from   jsonContainer
	order  []int32
	own    []jsonMember

	size int // In bytes, by measure.
}

// jsonMember is a member (or, without a key, an element) that is new or has been opened.
type jsonMember struct {
	key   []byte
	value *jsonEdit
}

// editOf is the value that b begins with.
func editOf(typ byte, b []byte) (*jsonEdit, error) {
	n, ok := jsonSize(typ, b)
	if !ok {
		return nil, errJSONCorrupt
	}
	return &jsonEdit{typ: typ, raw: b[:n]}, nil
}

// jsonSize is how many bytes the value takes that b begins with.
func jsonSize(typ byte, b []byte) (n int, ok bool) {
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		c, ok := openContainer(typ, b)
		return len(c.data), ok
	case jsonLiteral:
		n = 1
	case jsonInt16, jsonUint16:
		n = 2
	case jsonInt32, jsonUint32:
		n = 4
	case jsonInt64, jsonUint64, jsonDouble:
		n = 8
	case jsonString:
		length, width, ok := jsonLength(b)
		return width + length, ok
	case jsonOpaque: // Its type before the length.
		length, width, ok := jsonLength(b[min(1, len(b)):])
		return 1 + width + length, ok
	default:
		return 0, false
	}
	return n, n <= len(b)
}

// open takes a container apart.
func (e *jsonEdit) open() error {
	if e.opened {
		return nil
	}
	if e.typ > jsonLargeArray {
		return errJSONDiff
	}
	var ok bool
	if e.from, ok = openContainer(e.typ, e.raw); !ok {
		return errJSONCorrupt
	}
	e.order, e.opened = make([]int32, e.from.count), true
	for i := range e.order {
		e.order[i] = int32(i)
	}
	return nil
}

// key is the name of the member at a place in order; nil when it cannot be read, or is an array's.
func (e *jsonEdit) key(entry int32) []byte {
	if entry < 0 {
		return e.own[^entry].key
	}
	if !e.from.object {
		return nil
	}
	key, _ := e.from.key(int(entry))
	return key
}

// find gives the place of a leg of a path in the container, or where it would be inserted.
func (e *jsonEdit) find(leg *jsonLeg) (at int, found bool, err error) {
	if err := e.open(); err != nil {
		return 0, false, err
	}
	switch n := len(e.order); {
	case leg.cell == e.from.object:
		return 0, false, errJSONDiff
	case !leg.cell:
		at, found = slices.BinarySearchFunc(e.order, leg.key, func(entry int32, key []byte) int { return compareJSONKeys(e.key(entry), key) })
		return at, found, nil
	case leg.fromEnd:
		return max(n-1-leg.index, 0), leg.index < n, nil
	default:
		return min(leg.index, n), leg.index < n, nil
	}
}

// compareJSONKeys is the order in which an object has its members: shorter keys first, then by their bytes.
func compareJSONKeys(a, b []byte) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b))
}

// child is the value at a place, to be changed.
func (e *jsonEdit) child(at int) (*jsonEdit, error) {
	entry := e.order[at]
	if entry < 0 {
		return e.own[^entry].value, nil
	}
	typ, b, ok := e.from.value(int(entry))
	if !ok {
		return nil, errJSONCorrupt
	}
	value, err := editOf(typ, b)
	if err != nil {
		return nil, err
	}
	e.order[at] = e.take(jsonMember{e.key(entry), value})
	return value, nil
}

// take keeps a member and gives its entry in order.
func (e *jsonEdit) take(m jsonMember) int32 {
	e.own = append(e.own, m)
	return ^int32(len(e.own) - 1)
}

// apply changes a document as one difference says. Nothing is wrapped or made up on the way, as the server's own
// replica does it (json_diff.cc, apply_json_diffs): what does not fit is an error.
func (e *jsonEdit) apply(d *jsonDiff) error {
	parent := e
	for i := range d.legs[:len(d.legs)-1] {
		at, found, err := parent.find(&d.legs[i])
		if err != nil || !found {
			return cmp.Or(err, errJSONDiff)
		}
		if parent, err = parent.child(at); err != nil {
			return err
		}
	}
	leg := &d.legs[len(d.legs)-1]
	at, found, err := parent.find(leg)
	switch {
	case err != nil:
		return err
	case d.op == jsonInsert && !leg.cell && found, d.op != jsonInsert && !found:
		return errJSONDiff
	case d.op == jsonRemove:
		parent.order = slices.Delete(parent.order, at, at+1)
		return nil
	}
	value, err := editOf(d.value[0], d.value[1:])
	if err != nil {
		return err
	}
	entry := parent.take(jsonMember{leg.key, value})
	if d.op == jsonInsert {
		parent.order = slices.Insert(parent.order, at, entry)
	} else {
		parent.order[at] = entry
	}
	return nil
}

// member gives the parts of an entry: its key, and its value either as a node or as a type and bytes.
func (e *jsonEdit) member(entry int32) (m jsonMember, err error) {
	if entry < 0 {
		return e.own[^entry], nil
	}
	var value jsonEdit
	typ, b, ok := e.from.value(int(entry))
	if !ok {
		return m, errJSONCorrupt
	}
	n, ok := jsonSize(typ, b)
	if !ok {
		return m, errJSONCorrupt
	}
	value.typ, value.raw, value.size = typ, b[:n], n
	if e.from.object {
		if m.key, ok = e.from.key(int(entry)); !ok {
			return m, errJSONCorrupt
		}
	}
	m.value = &value
	return m, nil
}

// measure computes the size of each opened container, and decides between the small and the large form as the server
// does: small when it fits. budget bounds the bytes: a damaged document may show the same ones in many places.
func (e *jsonEdit) measure(budget *int) error {
	if !e.opened {
		e.size = len(e.raw)
		*budget -= e.size
		if *budget < 0 {
			return errJSONCorrupt
		}
		return nil
	}
	small, large := e.head(2), e.head(4)
	for _, entry := range e.order {
		m, err := e.member(entry)
		if err != nil {
			return err
		}
		if err := m.value.measure(budget); err != nil {
			return err
		}
		if *budget -= len(m.key); *budget < 0 {
			return errJSONCorrupt
		}
		small, large = small+len(m.key), large+len(m.key)
		if !inlined(m.value.typ, 2) {
			small += m.value.size
		}
		if !inlined(m.value.typ, 4) {
			large += m.value.size
		}
	}
	e.typ, e.size = jsonSmallArray, small
	if small > math.MaxUint16 {
		e.typ, e.size = jsonLargeArray, large
	}
	if e.from.object {
		e.typ -= jsonSmallArray - jsonSmallObject
	}
	if int64(large) > math.MaxUint32 {
		return errJSONCorrupt
	}
	return nil
}

// head is the size of a container's count, size and entries, with offsets of width bytes.
func (e *jsonEdit) head(width int) int {
	n := 2*width + len(e.order)*(1+width)
	if e.from.object {
		n += len(e.order) * (width + 2)
	}
	return n
}

// inlined reports that a value stands in its entry itself.
func inlined(typ byte, width int) bool {
	switch typ {
	case jsonLiteral, jsonInt16, jsonUint16:
		return true
	case jsonInt32, jsonUint32:
		return width == 4
	}
	return false
}

// append writes a value that has been measured, without its type.
func (e *jsonEdit) append(dst []byte) []byte {
	if !e.opened {
		return append(dst, e.raw...)
	}
	width := 2
	if e.typ == jsonLargeObject || e.typ == jsonLargeArray {
		width = 4
	}
	start := len(dst)
	dst = append(dst, make([]byte, e.head(width))...)
	at := start // Of the next field of the head.
	put := func(v int, n int) {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], uint32(v))
		at += copy(dst[at:at+n], b[:n])
	}
	put(len(e.order), width)
	put(e.size, width)
	if e.from.object {
		for _, entry := range e.order {
			key := e.key(entry)
			put(len(dst)-start, width)
			put(len(key), 2)
			dst = append(dst, key...)
		}
	}
	for _, entry := range e.order {
		m, _ := e.member(entry) // measure has read it.
		put(int(m.value.typ), 1)
		if inlined(m.value.typ, width) {
			put(inlineValue(m.value.typ, m.value.raw), width)
			continue
		}
		put(len(dst)-start, width)
		dst = m.value.append(dst)
	}
	return dst
}

// inlineValue is what an entry holds in the place of an offset.
func inlineValue(typ byte, raw []byte) int {
	v := int(littleEndian(raw))
	if typ == jsonInt16 {
		return int(int16(v)) // In the large form with its sign.
	}
	return v
}
