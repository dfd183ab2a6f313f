package replicator

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
)

// TestPartsAreBoundedInRows: short rows below the bound in bytes. The applier keeps keys and an index beside each image, so
// a transaction of many of them, taken as a whole, would be several times as large there (invariant 7).
func TestPartsAreBoundedInRows(t *testing.T) {
	const perEvent = 1000
	b := newBuilder(true)
	b.gtid(1)
	b.query("BEGIN")
	for range 2*maxPartRows/perEvent + 1 {
		b.tableMap(7, "a")
		b.insert(7, make([]uint32, perEvent)...)
	}
	b.xid()
	got, err := read(t, b.packets, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !strings.Contains(got[0], "part first=true last=false") || !strings.Contains(got[1], "part first=false last=true") {
		t.Fatalf("%d parts", len(got))
	}
	for i, want := range []int{maxPartRows + perEvent, maxPartRows} {
		if n := strings.Count(got[i], " a "); n != want {
			t.Errorf("part %d has %d rows, want %d", i, n, want)
		}
	}
}

// One event may have all rows of a statement (binlog_row_event_max_size on the source).
func TestAnEventIsCutIntoParts(t *testing.T) {
	const rows = 3*maxPartRows + 5
	b := newBuilder(true)
	b.gtid(1)
	b.query("BEGIN")
	b.tableMap(7, "a")
	ids := make([]uint32, rows)
	for i := range ids {
		ids[i] = uint32(i)
	}
	b.insert(7, ids...)
	b.xid()
	var all []change.Row
	parts := 0
	_, err := read(t, b.packets, true, func(_ *framer, a *assembler) {
		a.yield = func(txn *change.Txn) error {
			if n := len(txn.Rows); n > 2*maxPartRows {
				t.Errorf("a part of %d rows", n)
			}
			for _, r := range txn.Rows { // What they hold is valid now.
				all = append(all, change.Row{RowsHeader: r.RowsHeader, After: bytes.Clone(r.After)})
			}
			parts++
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != rows || parts < 2 {
		t.Fatalf("%d rows in %d parts, want %d", len(all), parts, rows)
	}
	for i, r := range all {
		if got := binary.LittleEndian.Uint32(r.After[1:]); got != uint32(i) {
			t.Fatalf("row %d is %d", i, got)
		}
	}
}
