package rowimage

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/binseal/binseal/change"
)

// Types of row events (binlog_event.h, Log_event_type).
const (
	writeRowsV1  = 23
	updateRowsV1 = 24
	deleteRowsV1 = 25
	writeRowsV2  = 30
	updateRowsV2 = 31
	deleteRowsV2 = 32

	partialUpdateRows = 39 // MySQL 8.0.3 and later; otherwise as of version 2.
)

// RowsEvent is a WRITE_ROWS, UPDATE_ROWS, PARTIAL_UPDATE_ROWS or DELETE_ROWS event, its header read and its rows not yet cut. Slices
// point into the event's body.
type RowsEvent struct {
	TableID                     uint64 // Names the TABLE_MAP event that describes the rows.
	Flags                       uint16 // change.Flag constants.
	Op                          change.Op
	Columns                     int    // Columns of the table at its place in the log.
	PresentBefore, PresentAfter []byte // As in change.RowsHeader.
	Diffs                       bool   // The rows are for SplitDiffs, not for Split.
	Data                        []byte // The rows, for Split.
}

// ParseRowsHeader reads the header of a row event of version 1 (MySQL 5.1 to 5.5, MariaDB) or 2 (MySQL 5.6 and
// later), or a PARTIAL_UPDATE_ROWS event. body is the event behind its 19-byte common header, without the checksum. Other
// event types (version 0) give an error: their images are laid out differently.
//
// Layout (rows_event.h, Rows_event): table id 6, flags 2, in version 2 extra data (length 2, itself included),
// column count (packed), a bitmap of the columns present, for updates a second one for the after-images, rows.
func ParseRowsHeader(eventType byte, body []byte) (RowsEvent, error) {
	op, v2, ok := rowsOp(eventType)
	if !ok {
		return RowsEvent{}, fmt.Errorf("event type %d is no row event of version 1 or 2", eventType)
	}
	r := reader{data: body}
	e := RowsEvent{TableID: r.uint(6), Flags: uint16(r.uint(2)), Op: op, Diffs: eventType == partialUpdateRows}
	if v2 {
		r.take(int(r.uint(2)) - 2) // Partition ids and NDB's data: nothing that a row depends on.
	}
	e.Columns = r.length(8)
	bitmap := r.take(bitmapLen(e.Columns))
	switch op {
	case change.Insert:
		e.PresentAfter = bitmap
	case change.Delete:
		e.PresentBefore = bitmap
	case change.Update:
		e.PresentBefore, e.PresentAfter = bitmap, r.take(bitmapLen(e.Columns))
	}
	if r.bad {
		return RowsEvent{}, fmt.Errorf("%s_ROWS header: %w", op, errShort)
	}
	e.Data = r.data
	return e, nil
}

// rowsOp tells what an event type does to rows and whether it is of version 2.
func rowsOp(eventType byte) (op change.Op, v2, ok bool) {
	switch eventType {
	case writeRowsV1, writeRowsV2:
		return change.Insert, eventType == writeRowsV2, true
	case updateRowsV1, updateRowsV2, partialUpdateRows:
		return change.Update, eventType != updateRowsV1, true
	case deleteRowsV1, deleteRowsV2:
		return change.Delete, eventType == deleteRowsV2, true
	}
	return 0, false, false
}

// Header joins the event with the TABLE_MAP that its table id names. A column count that differs is an error: the
// rows would be cut in the wrong places.
func (e *RowsEvent) Header(m *change.TableMap) (*change.RowsHeader, error) {
	if e.Columns != m.Columns() {
		return nil, fmt.Errorf("%s_ROWS of %s.%s has %d columns, its TABLE_MAP %d", e.Op, m.Schema, m.Table, e.Columns, m.Columns())
	}
	return &change.RowsHeader{
		Table: m, Op: e.Op, Flags: e.Flags,
		PresentBefore: e.PresentBefore, PresentAfter: e.PresentAfter,
		Full: full(e.PresentBefore, e.Columns) && full(e.PresentAfter, e.Columns),
	}, nil
}

// full reports whether a bitmap has each of n columns; nil, for an image that the operation does not have, counts
// as full.
func full(bitmap []byte, n int) bool { return bitmap == nil || countBits(bitmap, n) == n }

// countBits counts the first n bits of a bitmap that are set.
func countBits(bitmap []byte, n int) int {
	count := 0
	for i := range n / 8 {
		count += bits.OnesCount8(bitmap[i])
	}
	if n%8 != 0 {
		count += bits.OnesCount8(bitmap[n/8] & (1<<(n%8) - 1))
	}
	return count
}

// Cutter cuts the rows of events that share a header, whose columns it measures once. It is never changed and safe for
// concurrent use.
type Cutter struct {
	header *change.RowsHeader
	diffs  bool
	wires  []wire
	err    error // A column cannot be measured.
}

// NewCutter makes a Cutter; diffs as of RowsEvent.
func NewCutter(h *change.RowsHeader, diffs bool) *Cutter {
	c := &Cutter{header: h, diffs: diffs}
	c.wires, c.err = wiresOf(h.Table, make([]wire, 0, h.Table.Columns()))
	return c
}

// Cut is Split, or SplitDiffs where the rows are for that, for at most so many rows; rest is what is left of data. A source may
// write any number of rows into an event (binlog_row_event_max_size), and a row in memory is larger than a short image.
func (c *Cutter) Cut(data []byte, dst []change.Row, most int) (rows []change.Row, rest []byte, err error) {
	switch {
	case c.err != nil:
		return dst, nil, c.err
	case c.diffs:
		return splitDiffs(c.header, c.wires, data, dst, most)
	}
	return split(c.header, c.wires, data, dst, most)
}

// inlineColumns is how many columns' wires Split keeps on its stack; wider tables cost one allocation per event.
const inlineColumns = 64

// Split cuts the rows of one event (RowsEvent.Data) into images and appends them to dst. The images are slices of
// data, not copies; they are measured by the TABLE_MAP's types alone. Input that is cut off, or an image that takes
// no bytes, is an error; dst then comes back as it was.
func Split(h *change.RowsHeader, data []byte, dst []change.Row) ([]change.Row, error) {
	var inline [inlineColumns]wire
	wires, err := wiresOf(h.Table, inline[:0])
	if err != nil {
		return dst, err
	}
	dst, _, err = split(h, wires, data, dst, math.MaxInt)
	return dst, err
}

func split(h *change.RowsHeader, wires []wire, data []byte, dst []change.Row, most int) (_ []change.Row, rest []byte, err error) {
	before, after := h.Op != change.Insert, h.Op != change.Delete
	if before && len(h.PresentBefore) < bitmapLen(len(wires)) || after && len(h.PresentAfter) < bitmapLen(len(wires)) {
		return dst, nil, fmt.Errorf("%s_ROWS of %s.%s: bitmap of present columns: %w", h.Op, h.Table.Schema, h.Table.Table, errShort)
	}
	out := dst
	for ; len(data) > 0 && most > 0; most-- {
		row := change.Row{RowsHeader: h}
		if before {
			if row.Before, err = cutImage(wires, h.PresentBefore, data); err != nil {
				break
			}
			data = data[len(row.Before):]
		}
		if after {
			if row.After, err = cutImage(wires, h.PresentAfter, data); err != nil {
				break
			}
			data = data[len(row.After):]
		}
		out = append(out, row)
	}
	if err != nil {
		return dst, nil, fmt.Errorf("%s_ROWS of %s.%s, row %d: %w", h.Op, h.Table.Schema, h.Table.Table, len(out)-len(dst)+1, err)
	}
	return out, data, nil
}

// wiresOf measures each column of a TABLE_MAP.
func wiresOf(m *change.TableMap, buf []wire) ([]wire, error) {
	for i, typ := range m.Types {
		w, err := wireOf(typ, m.Meta[i])
		if err != nil {
			return nil, fmt.Errorf("%s.%s, column %d: %w", m.Schema, m.Table, i+1, err)
		}
		buf = append(buf, w)
	}
	return buf, nil
}

// cutFullImage is cutImage where every column is present. It steps over the values itself: with a function of
// offsets that wire.cut shares, BenchmarkSplit takes 1.4 times as long.
func cutFullImage(wires []wire, data []byte) ([]byte, error) {
	size := bitmapLen(len(wires))
	if size == 0 || len(data) < size {
		return nil, errShort
	}
	end := size
	for i, w := range wires {
		if bit(data, i) {
			continue
		}
		n := int(w.width)
		if p := int(w.prefix); p != 0 {
			if len(data)-end < p {
				return nil, errShort
			}
			n = int(littleEndian(data[end : end+p]))
			end += p
		}
		if len(data)-end < n {
			return nil, errShort
		}
		end += n
	}
	return data[:end:end], nil
}

// cutImage finds the end of one image: a null bitmap with a bit per present column, then the values that are not
// NULL.
func cutImage(wires []wire, present, data []byte) ([]byte, error) {
	if full(present, len(wires)) {
		return cutFullImage(wires, data)
	}
	nulls := data
	size := bitmapLen(countBits(present, len(wires)))
	if size == 0 {
		// An image of no columns takes no bytes: the rows would never end.
		return nil, errors.New("image without columns")
	}
	if len(data) < size {
		return nil, errShort
	}
	rest := data[size:]
	n := 0
	for i, w := range wires {
		if !bit(present, i) {
			continue
		}
		if !bit(nulls, n) {
			var ok bool
			if _, rest, ok = w.cut(rest); !ok {
				return nil, errShort
			}
		}
		n++
	}
	used := len(data) - len(rest)
	return data[:used:used], nil
}
