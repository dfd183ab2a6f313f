package rowimage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/binseal/binseal/change"
)

// Operations of a JSON difference (json_diff.h, enum_json_diff_operation).
const (
	jsonReplace = 0 // The path is there and gets another value.
	jsonInsert  = 1 // A member that is not there, or an element before the one at the path.
	jsonRemove  = 2
)

// jsonDiffs, as the first byte of a JSON value in an after-image of SplitDiffs, tells that the rest is differences to
// the document that the row has. No document begins with it.
const jsonDiffs = 0xff

// partialJSON is the bit of value_options that tells that an image has a bitmap of partial columns; no other is known
// (rows_event.h, enum_binlog_row_value_options).
const partialJSON = 1

// jsonDiff is one change of a JSON document.
// Layout (json_diff.cc, Json_diff::write_binary): operation 1, length of the path (packed), path, and unless the
// operation is REMOVE the length of the value (packed) and a binary document.
type jsonDiff struct {
	op    byte
	path  []byte // As text: $.a[1].
	last  int    // Where in path its last leg begins.
	legs  []jsonLeg
	value []byte // Type byte and value, with no more behind it; nil for REMOVE.
}

// jsonLeg is a step of a path: a member's key, or a cell of an array.
type jsonLeg struct {
	key     []byte
	cell    bool
	fromEnd bool // [last-index]
	index   int
}

var errJSONPath = errors.New("a JSON difference whose path cannot be read")

// nextDiff takes a difference off r.
func nextDiff(r *reader) (d jsonDiff, err error) {
	d.op = byte(r.uint(1))
	d.path = r.take(r.length(1))
	if d.op != jsonRemove {
		d.value = r.take(r.length(1))
	}
	switch {
	case r.bad:
		return d, errShort
	case d.op > jsonRemove:
		return d, fmt.Errorf("operation %d of a JSON difference is not known", d.op)
	}
	if d.legs, d.last, err = parseJSONPath(d.path); err != nil || d.op == jsonRemove {
		return d, err
	}
	if len(d.value) == 0 {
		return d, errJSONCorrupt
	}
	n, ok := jsonSize(d.value[0], d.value[1:])
	if !ok {
		return d, errJSONCorrupt
	}
	d.value = d.value[:1+n]
	return d, nil
}

// parseJSONPath reads the path of a difference: members and cells, as Json_path::to_string writes them. A wildcard or a
// range names no single place, and the root is never changed in part.
func parseJSONPath(path []byte) (legs []jsonLeg, last int, err error) {
	if len(path) < 2 || path[0] != '$' || !utf8.Valid(path) {
		return nil, 0, errJSONPath
	}
	for rest := path[1:]; len(rest) > 0; {
		last = len(path) - len(rest)
		var leg jsonLeg
		if rest[0] == '[' {
			leg, rest, err = parseJSONCell(rest[1:])
		} else if rest[0] == '.' {
			leg, rest, err = parseJSONMember(rest[1:])
		} else {
			err = errJSONPath
		}
		if err != nil || len(legs) == maxJSONDepth {
			return nil, 0, errJSONPath
		}
		legs = append(legs, leg)
	}
	return legs, last, nil
}

// parseJSONCell reads what is behind the bracket: 3], last] or last-3].
func parseJSONCell(b []byte) (leg jsonLeg, rest []byte, err error) {
	text, rest, ok := bytes.Cut(b, []byte("]"))
	if !ok {
		return leg, nil, errJSONPath
	}
	leg.cell = true
	if text, leg.fromEnd = bytes.CutPrefix(text, []byte("last")); leg.fromEnd {
		if len(text) == 0 {
			return leg, rest, nil
		}
		if text, ok = bytes.CutPrefix(text, []byte("-")); !ok {
			return leg, nil, errJSONPath
		}
	}
	index, err := strconv.ParseUint(string(text), 10, 32)
	leg.index = int(index)
	return leg, rest, err
}

// parseJSONMember reads what is behind the dot: a name, or a JSON string.
func parseJSONMember(b []byte) (leg jsonLeg, rest []byte, err error) {
	end := 0
	if len(b) == 0 || b[0] != '"' {
		for end < len(b) && b[end] != '.' && b[end] != '[' {
			end++
		}
		if end == 0 || bytes.ContainsAny(b[:end], "*\" ") {
			return leg, nil, errJSONPath
		}
		return jsonLeg{key: b[:end]}, b[end:], nil
	}
	for end = 1; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			end++
		}
	}
	if end >= len(b) {
		return leg, nil, errJSONPath
	}
	var key string
	if err := json.Unmarshal(b[:end+1], &key); err != nil {
		return leg, nil, errJSONPath
	}
	return jsonLeg{key: []byte(key)}, b[end+1:], nil
}

// patchJSON applies differences to a document. The new one takes 1+size bytes and is ready to be appended.
func patchJSON(doc, diffs []byte) (*jsonEdit, error) {
	if len(doc) == 0 {
		return nil, errJSONEmpty
	}
	e, err := editOf(doc[0], doc[1:])
	if err != nil {
		return nil, err
	}
	for r := (reader{data: diffs}); len(r.data) > 0; {
		d, err := nextDiff(&r)
		if err != nil {
			return nil, err
		}
		if err := e.apply(&d); err != nil {
			return nil, err
		}
	}
	budget := len(doc) + len(diffs)
	return e, e.measure(&budget)
}

// checkDiffs says whether differences can be read at all.
func checkDiffs(diffs []byte) error {
	for r := (reader{data: diffs}); len(r.data) > 0; {
		if _, err := nextDiff(&r); err != nil {
			return err
		}
	}
	return nil
}

// SplitDiffs is Split for the rows of a PARTIAL_UPDATE_ROWS event (binlog_row_value_options=PARTIAL_JSON), whose
// after-images may have JSON documents as differences to the row before. What comes back are images as of any other
// update, which own their memory. Where the before-image shows the document, the differences are applied to it, and the
// after-image has the whole new one. Where it does not (MINIMAL, NOBLOB), the column's value is the byte jsonDiffs and the
// differences, which AppendPartialSet writes as changes of what the target has.
//
// Layout (rows_event.h, rpl_record.cc pack_row), before the null bitmap of each after-image: value_options (packed), and
// with partialJSON a bitmap of partial columns, a bit for each JSON column of the table, whether the image has it or not.
// A partial column has a length of four bytes, as a document has, and then differences.
func SplitDiffs(h *change.RowsHeader, data []byte, dst []change.Row) ([]change.Row, error) {
	var inline [inlineColumns]wire
	wires, err := wiresOf(h.Table, inline[:0])
	if err != nil {
		return dst, err
	}
	dst, _, err = splitDiffs(h, wires, data, dst, math.MaxInt)
	return dst, err
}

func splitDiffs(h *change.RowsHeader, wires []wire, data []byte, dst []change.Row, most int) (_ []change.Row, rest []byte, err error) {
	if len(h.PresentBefore) < bitmapLen(len(wires)) || len(h.PresentAfter) < bitmapLen(len(wires)) {
		return dst, nil, fmt.Errorf("%s_ROWS of %s.%s: bitmap of present columns: %w", h.Op, h.Table.Schema, h.Table.Table, errShort)
	}
	out := dst
	for ; len(data) > 0 && most > 0; most-- {
		row := change.Row{RowsHeader: h}
		if row.Before, err = cutImage(wires, h.PresentBefore, data); err != nil {
			break
		}
		if row.After, data, err = cutDiffs(wires, h, row.Before, data[len(row.Before):]); err != nil {
			break
		}
		out = append(out, row)
	}
	if err != nil {
		return dst, nil, fmt.Errorf("%s_ROWS of %s.%s, row %d: %w", h.Op, h.Table.Schema, h.Table.Table, len(out)-len(dst)+1, err)
	}
	return out, data, nil
}

// cutDiffs takes an after-image with its options off data, and makes it an image as any other.
func cutDiffs(wires []wire, h *change.RowsHeader, before, data []byte) (after, rest []byte, err error) {
	r := reader{data: data}
	options := r.packed()
	var partial []byte
	if options&partialJSON != 0 {
		partial = r.take(bitmapLen(bytes.Count(h.Table.Types, []byte{typeJSON})))
	}
	switch {
	case r.bad:
		return nil, nil, errShort
	case options&^partialJSON != 0:
		return nil, nil, fmt.Errorf("value options %#x are not known", options)
	}
	img, err := cutImage(wires, h.PresentAfter, r.data)
	if err != nil {
		return nil, nil, err
	}
	rest = r.data[len(img):]
	if after, err = whole(wires, h, partial, before, img); err != nil {
		return nil, nil, err
	}
	return after, rest, nil
}

// whole copies an after-image, and puts the new documents in the place of differences where before shows the old ones.
func whole(wires []wire, h *change.RowsHeader, partial, before, img []byte) ([]byte, error) {
	old, now := newSteps(h.PresentBefore, before, len(wires)), newSteps(h.PresentAfter, img, len(wires))
	out := append(make([]byte, 0, max(len(img), len(before))), now.nulls...)
	documents := 0 // JSON columns so far.
	for i, w := range wires {
		was, is := old.next(i, w), now.next(i, w)
		diffs := false
		if h.Table.Types[i] == typeJSON {
			diffs = partial != nil && bit(partial, documents)
			documents++
		}
		switch {
		case !is.there && diffs, is.null && diffs:
			return nil, fmt.Errorf("column %d: %w", i+1, errors.New("JSON differences without a value"))
		case !is.there || is.null:
			continue
		case diffs:
			var err error
			if out, err = appendPatched(out, was, is.value, w); err != nil {
				return nil, fmt.Errorf("column %d: %w", i+1, err)
			}
		default:
			out = append(appendLength(out, len(is.value), w), is.value...)
		}
	}
	return out, nil
}

// appendPatched writes the value, with its length, of a column that comes as differences to the one that it was.
func appendPatched(dst []byte, was cell, diffs []byte, w wire) ([]byte, error) {
	switch {
	case !was.there:
		dst = append(appendLength(dst, 1+len(diffs), w), jsonDiffs)
		return append(dst, diffs...), checkDiffs(diffs)
	case was.null:
		return dst, errJSONDiff
	}
	e, err := patchJSON(was.value, diffs)
	if err != nil {
		return dst, err
	}
	return e.append(append(appendLength(dst, 1+e.size, w), e.typ)), nil
}

// appendLength writes the length before a value of n bytes, if the column has one.
func appendLength(dst []byte, n int, w wire) []byte {
	for i := range int(w.prefix) {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// steps goes through the columns of an image that cutImage has measured.
type steps struct {
	present, nulls, rest []byte
	seen                 int // Columns that are there, so far.
}

func newSteps(present, img []byte, columns int) steps {
	n := bitmapLen(countBits(present, columns))
	return steps{present: present, nulls: img[:n], rest: img[n:]}
}

// next gives column i, the one after the last.
func (s *steps) next(i int, w wire) cell {
	c := cell{there: bit(s.present, i)}
	if !c.there {
		return c
	}
	c.null = bit(s.nulls, s.seen)
	s.seen++
	if !c.null {
		c.value, s.rest, _ = w.cut(s.rest)
	}
	return c
}
