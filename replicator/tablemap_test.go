package replicator

import (
	"encoding/binary"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// insertWith is insertBody with further fields, as those that name a partition.
func insertWith(flags uint16, further string, values ...uint32) []byte {
	plain := insertBody(7, flags, values...)
	body := binary.LittleEndian.AppendUint16(plain[:8:8], uint16(2+len(further)))
	return append(append(body, further...), plain[10:]...)
}

// rowsOf are the rows of an event.
func rowsOf(maps *tableMaps, ev *event) ([]change.Row, error) {
	r, err := maps.rows(ev, false)
	if err != nil {
		return nil, err
	}
	return maps.cut(&r, nil)
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
				rows, err := rowsOf(&maps, &event{header: header{typ: typeWriteRows}, body: insertWith(flags, further, value)})
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
		rows, err := rowsOf(&maps, &event{header: header{typ: typeWriteRows}, body: good[:n]})
		if want := n == len(good) || n == len(good)-5; (err == nil) != want || err != nil && len(rows) > 0 {
			t.Errorf("%d of %d bytes: %d rows, %v", n, len(good), len(rows), err)
		}
	}
	if rows, err := rowsOf(&maps, &event{header: header{typ: typeDeleteRows}, body: good}); err != nil || rows[0].Op != change.Delete {
		t.Errorf("the same bytes as an event of another type: %v, %v", rows, err)
	}
}

// Tables that are opened anew get new ids: what is kept of them is bounded, and the running statement's stay.
func TestTableMapsAreBoundedInBytes(t *testing.T) {
	filter, err := schema.NewFilter(schema.FilterConfig{Exclude: []string{"shop.tmp_*"}})
	if err != nil {
		t.Fatal(err)
	}
	const size = 100_000
	maps := tableMaps{memory: new(memory)}
	for id := range uint64(3 * maxCachedBytes / size) {
		if err := maps.add(append(tableMapBody(id, "tmp_a"), make([]byte, size)...), filter); err != nil {
			t.Fatal(err)
		}
		if n := len(maps.cache); n < 1 || n > maxCachedBytes/size || maps.find(id) == nil {
			t.Fatalf("table %d: %d tables are kept", id, n)
		}
		maps.endStatement()
	}
}
