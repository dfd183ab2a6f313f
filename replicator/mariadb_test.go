package replicator

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// mariadbGTIDBody is the body of a GTID event of MariaDB, padded as the server does.
func mariadbGTIDBody(seq uint64, domain uint32, flags, extra byte) []byte {
	body := append(binary.LittleEndian.AppendUint32(le(seq, 8), domain), flags)
	if flags&gtidGroupCommitID != 0 {
		body = append(body, le(77, 8)...)
	}
	if flags&(gtidPreparedXA|gtidCompletedXA) != 0 {
		body = append(append(body, le(1, 4)...), 1, 2, 'g', 'b', 'q')
	}
	body = append(body, extra)
	return append(body, make([]byte, max(0, 19-len(body)))...)
}

// insertHead is the length of what comes before the rows in insertBody.
const insertHead = 6 + 2 + 2 + 2

// compressed packs what is behind head as MariaDB does, with the length in two bytes.
func compressed(t testing.TB, body []byte, head int) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write(body[:head])
	b.Write(binary.BigEndian.AppendUint16([]byte{0x82}, uint16(len(body)-head)))
	w := zlib.NewWriter(&b)
	if _, err := w.Write(body[head:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMariaDBGTIDEvents(t *testing.T) {
	id := change.GTID{Domain: 7, Server: 101, GNO: 5}
	for name, c := range map[string]struct {
		body []byte
		want mariadbGTID
	}{
		"plain":                  {mariadbGTIDBody(5, 7, 0, 0), mariadbGTID{gtid: id}},
		"without padding":        {mariadbGTIDBody(5, 7, gtidStandalone, 0)[:13], mariadbGTID{gtid: id, flags: gtidStandalone}},
		"with a group commit":    {mariadbGTIDBody(5, 7, gtidGroupCommitID, gtidCommitAlter), mariadbGTID{gtid: id, flags: gtidGroupCommitID, extra: gtidCommitAlter}},
		"of XA":                  {mariadbGTIDBody(5, 7, gtidPreparedXA, 1), mariadbGTID{gtid: id, flags: gtidPreparedXA, extra: 1}},
		"the start of an ALTER":  {mariadbGTIDBody(5, 7, gtidStandalone, gtidStartAlter), mariadbGTID{gtid: id, flags: gtidStandalone, extra: gtidStartAlter}},
		"group commit and of XA": {mariadbGTIDBody(5, 7, gtidGroupCommitID|gtidCompletedXA, 0), mariadbGTID{gtid: id, flags: gtidGroupCommitID | gtidCompletedXA}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseMariaDBGTID(&event{header: header{serverID: 101}, body: c.body})
			if err != nil || !cmp.Equal(got, c.want, cmp.AllowUnexported(mariadbGTID{})) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	for name, body := range map[string][]byte{"cut off": mariadbGTIDBody(5, 7, 0, 0)[:12], "cut off in its XA name": mariadbGTIDBody(5, 7, gtidPreparedXA, 0)[:18],
		"number 0": mariadbGTIDBody(0, 7, 0, 0), "a number above 63 bits": mariadbGTIDBody(1<<63, 7, 0, 0)} {
		if g, err := parseMariaDBGTID(&event{header: header{serverID: 101}, body: body}); err == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestCompressedEventsOfMariaDB(t *testing.T) {
	in := inflater{maxEvent: 1 << 20}
	rows := insertBody(7, 1, 1, 2, 3)
	statement := queryBody("shop", "CREATE TABLE a (id INT)", 0, qXIDMariaDB, 1, 2, 3, 4, 5, 6, 7, 8)
	for name, c := range map[string]struct {
		typ, want byte
		plain     []byte
		head      int
	}{
		"rows":          {typeWriteRowsCompressed, typeWriteRows, rows, insertHead},
		"deleted rows":  {typeDeleteRowsCompressed, typeDeleteRows, rows, insertHead},
		"rows, V1":      {typeWriteRowsCompressedV1, typeWriteRowsV1, append(rows[:8:8], rows[10:]...), insertHead - 2},
		"a statement":   {typeQueryCompressed, typeQuery, statement, len(statement) - len("CREATE TABLE a (id INT)")},
		"updated, V1":   {typeUpdateRowsCompressedV1, typeUpdateRowsV1, append(append(rows[:8:8], 1, 0xff, 0xff), 0, 1, 0, 0, 0, 0, 2, 0, 0, 0), 11},
		"updated rows":  {typeUpdateRowsCompressed, typeUpdateRows, append(append(rows[:10:10], 1, 0xff, 0xff), 0, 1, 0, 0, 0, 0, 2, 0, 0, 0), 13},
		"deleted, V1":   {typeDeleteRowsCompressedV1, typeDeleteRowsV1, append(rows[:8:8], rows[10:]...), insertHead - 2},
		"nothing in it": {typeWriteRowsCompressed, typeWriteRows, rows[:insertHead], insertHead},
	} {
		t.Run(name, func(t *testing.T) {
			packed := compressed(t, c.plain, c.head)
			got, err := in.inflate(&event{header: header{typ: c.typ}, body: packed})
			if err != nil || got.typ != c.want || !bytes.Equal(got.body, c.plain) {
				t.Fatalf("type %d, %x, %v; want %d, %x", got.typ, got.body, err, c.want, c.plain)
			}
			for n := range packed {
				if _, err := in.inflate(&event{header: header{typ: c.typ}, body: packed[:n]}); err == nil {
					t.Errorf("cut off at %d of %d it is read", n, len(packed))
				}
			}
		})
	}
}

// TestCompressedEventsAreBounded: what a few bytes declare or unfold to never takes more memory than the bound.
func TestCompressedEventsAreBounded(t *testing.T) {
	in := inflater{maxEvent: 1 << 16}
	head := insertBody(7, 1)[:insertHead]
	packed := compressed(t, append(head, make([]byte, 60000)...), insertHead)
	if _, err := in.inflate(&event{header: header{typ: typeWriteRowsCompressed}, body: packed}); err != errEventTooLarge {
		t.Errorf("an insert above half of the bound: %v", err)
	}
	if _, err := in.inflate(&event{header: header{typ: typeWriteRowsCompressed}, body: append(head, 0x84, 0xff, 0xff, 0xff, 0xff)}); err != errEventTooLarge {
		t.Errorf("4 GiB declared: %v", err)
	}
	copy(packed[insertHead:], []byte{0x82, 0, 9}) // Less is declared than there is.
	if _, err := in.inflate(&event{header: header{typ: typeWriteRowsCompressed}, body: packed}); err == nil || err == errEventTooLarge {
		t.Errorf("more than declared: %v", err)
	}
	for _, first := range []byte{0x02, 0x92, 0x80, 0x85} { // Not marked; another algorithm; no length; five bytes of it.
		packed[insertHead] = first
		if _, err := in.inflate(&event{header: header{typ: typeWriteRowsCompressed}, body: packed}); err == nil {
			t.Errorf("first byte %#x is read", first)
		}
	}
}

// TestWhatAMariaDBSourceLeavesOut: asked by GTID, it may leave out transactions that the position has, and nothing else.
func TestWhatAMariaDBSourceLeavesOut(t *testing.T) {
	stream := func(gap func(b *builder, place string)) [][]byte {
		b := newBuilder(true)
		b.add(typeGTIDList, 0, le(0, 4))
		gap(b, "before the first")
		for seq := uint64(5); seq < 7; seq++ {
			b.add(typeMariaDBGTID, 0, mariadbGTIDBody(seq, 0, 0, 0))
			if seq == 5 {
				gap(b, "inside")
			}
			b.tableMap(7, "a")
			b.insert(7, uint32(seq))
			b.xid()
			if seq == 5 {
				gap(b, "behind the first")
			}
		}
		return b.packets
	}
	from, err := change.ParseGTIDSet("0-101-4")
	if err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]string{"nowhere": "", "before the first": "", "inside": "BS-PROTOCOL", "behind the first": "BS-PROTOCOL"} {
		packets := stream(func(b *builder, here string) {
			if here == place {
				b.pos += 1000
			}
		})
		lines, err := read(t, packets, true, func(f *framer, a *assembler) { f.seek(from) })
		if f := change.FaultOf(err); want == "" && (err != nil || len(lines) != 2) || want != "" && (f == nil || f.Code != want) {
			t.Errorf("%s: %d transactions, %v", place, len(lines), err)
		}
	}
}

// TestFlagsOfMariaDBGTIDs: a bit that nobody knows may change what the transaction is.
func TestFlagsOfMariaDBGTIDs(t *testing.T) {
	for name, c := range map[string]struct {
		extra byte
		code  string
	}{
		"none": {0, ""}, "two engines": {gtidMultiEngine, ""}, "a session's id": {gtidThreadID, ""},
		"unknown": {1 << 5, "BS-EVENT-UNSUPPORTED"}, "unknown beside known": {1<<7 | gtidMultiEngine, "BS-EVENT-UNSUPPORTED"},
	} {
		b := newBuilder(true)
		b.add(typeMariaDBGTID, 0, mariadbGTIDBody(5, 0, 0, c.extra))
		b.tableMap(7, "a")
		b.insert(7, 1)
		b.xid()
		_, err := read(t, b.packets, true, nil)
		if f := change.FaultOf(err); c.code == "" && err != nil || c.code != "" && (f == nil || f.Code != c.code) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// While a MariaDB source reads over what it leaves out, it sends no heartbeat: a link is not dead for that.
func TestMariaDBIsSilentWhileItSearches(t *testing.T) {
	for name, end := range map[string]func(b *builder){
		"a heartbeat":   func(b *builder) { b.heartbeat(typeHeartbeat, b.pos+1000) },
		"a transaction": func(b *builder) { b.pos += 1000; b.mariadbGTID(5, 0) },
	} {
		b := newBuilder(true)
		b.add(typeGTIDList, 0, le(0, 4))
		head := len(b.packets)
		end(b)
		f := framer{byGTID: true}
		from, err := change.ParseGTIDSet("0-101-4,7-1-1")
		if err != nil {
			t.Fatal(err)
		}
		f.seek(from)
		for i, p := range b.packets {
			if _, _, err := f.next(p); err != nil {
				t.Fatal(err)
			}
			if f.searching != (i < head) {
				t.Errorf("%s: packet %d of %d: searching %v", name, i, len(b.packets), f.searching)
			}
		}
	}
}
