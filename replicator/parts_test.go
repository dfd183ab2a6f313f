package replicator

import (
	"strings"
	"testing"
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
