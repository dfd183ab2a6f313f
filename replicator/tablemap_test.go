package replicator

import (
	"encoding/binary"
	"testing"

	"github.com/binseal/binseal/change"
)

// insertWith is insertBody with further fields, as those that name a partition.
func insertWith(flags uint16, further string, values ...uint32) []byte {
	plain := insertBody(7, flags, values...)
	body := binary.LittleEndian.AppendUint16(plain[:8:8], uint16(2+len(further)))
	return append(append(body, further...), plain[10:]...)
}

// Heads that differ in nothing that a row depends on share a header; each event is still read by its own.
func TestRowEventsOfOneFormShareTheirHeader(t *testing.T) {
	maps := tableMaps{memory: new(memory)}
	if err := maps.add(tableMapBody(7, "a"), nil); err != nil {
		t.Fatal(err)
	}
	headers := map[uint16]*change.RowsHeader{}
	value := uint32(0)
	for range 3 {
		for flags := range uint16(2 * maxForms) { // More than are kept.
			for _, further := range []string{"", "\x01\x07\x00", "\x01\x08\x00", string(make([]byte, maxFormHead))} {
				value++
				rows, _, err := maps.rows(&event{header: header{typ: typeWriteRows}, body: insertWith(flags, further, value)}, nil, false)
				if err != nil || len(rows) != 1 || binary.LittleEndian.Uint32(rows[0].After[1:]) != value || rows[0].Flags != flags {
					t.Fatalf("flags %#x, further %q: %v, %v", flags, further, rows, err)
				}
				if h := headers[flags]; further != "" && rows[0].RowsHeader != h {
					t.Fatalf("flags %#x, further %q: another header", flags, further)
				}
				headers[flags] = rows[0].RowsHeader
			}
		}
	}
	if n := len(maps.find(7).forms); n > maxForms {
		t.Errorf("%d forms are kept", n)
	}
}

// What follows a head that is known is held against its columns as always.
func TestKnownHeadDoesNotVouchForItsRows(t *testing.T) {
	maps := tableMaps{memory: new(memory)}
	if err := maps.add(tableMapBody(7, "a"), nil); err != nil {
		t.Fatal(err)
	}
	good := insertBody(7, change.FlagStmtEnd, 1, 2)
	for n := len(good); n > len(good)-10; n-- {
		rows, _, err := maps.rows(&event{header: header{typ: typeWriteRows}, body: good[:n]}, nil, false)
		if want := n == len(good) || n == len(good)-5; (err == nil) != want || err != nil && len(rows) > 0 {
			t.Errorf("%d of %d bytes: %d rows, %v", n, len(good), len(rows), err)
		}
	}
	if rows, _, err := maps.rows(&event{header: header{typ: typeDeleteRows}, body: good}, nil, false); err != nil || rows[0].Op != change.Delete {
		t.Errorf("the same bytes as an event of another type: %v, %v", rows, err)
	}
}
