package replicator

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/binseal/binseal/change"
)

// seedHistory is a stream with every kind of event that is decoded.
func seedHistory(t testing.TB, crc bool) [][]byte {
	b := newBuilder(crc)
	b.add(typePreviousGTIDs, 0, make([]byte, 8))
	b.gtid(1)
	b.query("BEGIN")
	b.add(typeRowsQuery, flagIgnorable, []byte("\x01x"))
	b.tableMap(7, "a")
	b.insert(7, 1, 2)
	b.query("SAVEPOINT `s`")
	b.tableMap(7, "a")
	b.insert(7, 3)
	b.query("ROLLBACK TO `s`")
	b.xid()
	b.heartbeat(typeHeartbeat, b.pos)
	b.heartbeat(typeHeartbeatV2, b.pos)
	b.add(typeTaggedGTID, 0, taggedBody(11))
	b.add(typeQuery, 0, queryBody("shop", "CREATE TABLE a (id INT)", 0, qTimeZone, 3, 'U', 'T', 'C', qUpdatedDBNames, 1, 'a', 0))
	b.gtid(2)
	plain := inner(raw(typeQuery, 0, 0, queryBody("", "BEGIN", 0), false), raw(typeTableMap, 0, 0, tableMapBody(7, "a"), false),
		raw(typeWriteRows, 0, 0, insertBody(7, 1, 1), false), raw(typeXID, 0, 0, le(1, 8), false))
	b.add(typePayload, 0, payloadBody(t, 0, len(plain), plain))
	b.add(typeMariaDBGTID, 0, mariadbGTIDBody(5, 0, 0, 0))
	b.add(typeAnnotateRows, 0, []byte("x"))
	b.tableMap(7, "a")
	b.add(typeWriteRowsCompressed, 0, compressed(t, insertBody(7, 1, 1), insertHead))
	b.xid()
	b.add(typeMariaDBGTID, 0, mariadbGTIDBody(6, 0, gtidStandalone, 0))
	statement := queryBody("shop", "DROP TABLE b", 0, qMicrosecondsMariaDB, 1, 2, 3)
	b.add(typeQueryCompressed, 0, compressed(t, statement, len(statement)-len("DROP TABLE b")))
	b.mariadbPrepare(7, "m", 1)
	b.mariadbDecide(8, "COMMIT", "m")
	b.rotateTo("binlog.000002", 4, 0)
	b.rotateTo("binlog.000002", 4, flagArtificial)
	b.gtid(3)
	b.xaPrepare("x", false, 1)
	b.anonymous()
	b.query("DROP TABLE a")
	b.gtid(4)
	b.query(xaText("COMMIT", "x"))
	return b.packets
}

// join writes packets as the fuzzer sees them: a length of four bytes before each.
func join(packets [][]byte) []byte {
	var all []byte
	for _, p := range packets {
		all = append(binary.LittleEndian.AppendUint32(all, uint32(len(p))), p...)
	}
	return all
}

func split(data []byte) [][]byte {
	var packets [][]byte
	for len(data) >= 4 {
		n := int(min(uint64(binary.LittleEndian.Uint32(data)), uint64(len(data)-4)))
		packets = append(packets, data[4:4+n:4+n])
		data = data[4+n:]
	}
	return packets
}

func TestSeedHistoryIsRead(t *testing.T) {
	for _, crc := range []bool{true, false} {
		got, err := read(t, split(join(seedHistory(t, crc))), false, nil)
		if err != nil || len(got) != 11 {
			t.Errorf("%d transactions, %v", len(got), err)
		}
	}
}

// FuzzStream mutates a whole stream without checksums: whatever comes must end in transactions or one fault, never
// in a panic, an endless loop or memory that the input does not pay for.
func FuzzStream(f *testing.F) {
	f.Add(join(seedHistory(f, false)), false)
	f.Add(join(seedHistory(f, true)), true)
	f.Add(join(seedHistory(f, false)), true)
	f.Fuzz(func(t *testing.T, data []byte, byGTID bool) {
		held := 0
		_, err := read(t, split(data), byGTID, func(fr *framer, a *assembler) {
			a.maxPart = 64 << 10
			a.payload.maxEvent, a.inflater.maxEvent = 64<<10, 64<<10
			if byGTID { // MariaDB's first ones are read again for the sake of an XA transaction before them.
				a.applied.Add(change.GTID{Server: 101, GNO: 6})
			}
			a.yield = func(txn *change.Txn) error { held = max(held, txn.Bytes); return nil }
		})
		if err != nil && change.FaultOf(err) == nil {
			t.Errorf("an error that is no fault: %v", err)
		}
		if held > 64<<10+(len(data)+64<<10)*(rowOverhead+1) {
			t.Errorf("%d bytes held for %d of input", held, len(data))
		}
	})
}

// FuzzEvents mutates the body of one event of each type, inside an open transaction, so that the fuzzer need not
// find its way there.
func FuzzEvents(f *testing.F) {
	f.Add(typeQuery, queryBody("shop", "SAVEPOINT `s`", 0))
	f.Add(typeTableMap, tableMapBody(7, "a"))
	f.Add(typeWriteRows, insertBody(7, 1, 1))
	f.Add(typeTaggedGTID, taggedBody(11))
	f.Add(typeGTID, gtidBody(1))
	f.Add(typeXAPrepare, xaPrepareBody("x", true))
	f.Add(typeQuery, queryBody("", xaText("START", "x"), 0))
	f.Add(typeHeartbeatV2, []byte{1, 1, 'x', 2, 1, 9, 0})
	f.Add(typeRotate, append(le(4, 8), "binlog.000002"...))
	plain := raw(typeXID, 0, 0, le(1, 8), false)
	f.Add(typePayload, payloadBody(f, 0, len(plain), plain))
	f.Add(typeMariaDBGTID, mariadbGTIDBody(5, 7, gtidGroupCommitID, gtidCommitAlter))
	f.Add(typeMariaDBGTID, mariadbGTIDBody(5, 7, gtidPreparedXA, 0))
	f.Add(typeMariaDBGTID, mariadbGTIDBody(5, 7, gtidCompletedXA|gtidStandalone, gtidMultiEngine))
	f.Add(typeWriteRowsCompressed, compressed(f, insertBody(7, 1, 1), insertHead))
	f.Add(typeQueryCompressed, compressed(f, queryBody("shop", "COMMIT", 0), len(queryBody("shop", "", 0))))
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		for _, opened := range []bool{false, true} {
			b := newBuilder(false)
			b.gtid(1)
			if opened {
				b.query("BEGIN")
				b.tableMap(7, "a")
			}
			b.add(typ, 0, body)
			if _, err := read(t, b.packets, true, nil); err != nil && change.FaultOf(err) == nil {
				t.Errorf("an error that is no fault: %v", err)
			}
		}
	})
}

// FuzzStatusVars: any variables decode or are refused.
func FuzzStatusVars(f *testing.F) {
	f.Add([]byte{qUpdatedDBNames, 2, 'a', 0, 'b', 0, qInvoker, 1, 'u', 1, 'h'})
	f.Fuzz(func(_ *testing.T, vars []byte) { _, _ = parseStatusVars(vars, 0) })
}

// With checksums no damage goes unseen: whichever bit of an event flips, and wherever an event is cut off, what was
// complete before it is delivered, and then a fault.
func TestDamagedEventsRefuse(t *testing.T) {
	packets := seedHistory(t, true)
	good, err := read(t, packets, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, n int, damaged []byte) {
		t.Helper()
		stream := slices.Clone(packets)
		stream[n] = damaged
		got, err := read(t, stream, false, nil)
		if change.FaultOf(err) == nil || len(got) > len(good) || !slices.Equal(got, good[:len(got)]) {
			t.Errorf("%s of event %d: %d of %d transactions, error %v", what, n, len(got), len(good), err)
		}
	}
	for n, packet := range packets {
		if n == 0 {
			continue // The rotation that names the file comes before the format that tells of checksums.
		}
		for i := range packet {
			for bit := range 8 {
				flipped := bytes.Clone(packet)
				flipped[i] ^= 1 << bit
				check("a flipped bit", n, flipped)
			}
			check("a cut", n, packet[:i])
		}
	}
}

// FuzzPayload: a compressed transaction gives events within the bound, or an error; also one that unfolds to much.
func FuzzPayload(f *testing.F) {
	plain := inner(raw(typeQuery, 0, 0, queryBody("", "BEGIN", 0), false), raw(typeTableMap, 0, 0, tableMapBody(7, "a"), false), raw(typeXID, 0, 0, le(1, 8), false))
	f.Add(payloadBody(f, 0, len(plain), plain))
	f.Add(payloadBody(f, 255, len(plain), plain))
	f.Add(payloadBody(f, 0, 1<<20, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, body []byte) {
		const bound = 64 << 10
		r := payloadReader{maxEvent: bound}
		defer r.close()
		err := r.each(&event{body: body}, func(ev *event) error {
			if len(ev.body) > eventLimit(ev.typ, bound) {
				t.Errorf("an event of %d bytes", len(ev.body))
			}
			return nil
		})
		if err != nil && (change.FaultOf(err) == nil || err == io.EOF) {
			t.Errorf("an error that is no fault: %v", err)
		}
	})
}

// FuzzGTIDEvents holds both forms of the GTID event against go-mysql's reading, where both take them.
func FuzzGTIDEvents(f *testing.F) {
	f.Add(gtidBody(5), false)
	f.Add(gtidBody(1<<62), false)
	f.Add(taggedBody(11), true)
	f.Fuzz(func(t *testing.T, body []byte, tagged bool) {
		ours, err := parseGTID(&event{header: header{typ: typeGTID}, body: body})
		if tagged {
			ours, err = parseTaggedGTID(body)
		}
		if err != nil {
			return
		}
		theirs, ok := goMySQLGTID(body, tagged)
		if ok && (!bytes.Equal(theirs.SID, ours.gtid.UUID[:]) || theirs.GNO != ours.gtid.GNO || theirs.Tag.String() != ours.gtid.Tag) {
			t.Errorf("%s, theirs %x:%s:%d", ours.gtid, theirs.SID, theirs.Tag, theirs.GNO)
		}
	})
}

func goMySQLGTID(body []byte, tagged bool) (_ *replication.GTIDEvent, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if tagged {
		var e replication.GtidTaggedLogEvent
		// It takes numbers of more than a byte for several in some places, and shifts those of nine (0xff and eight): no
		// oracle there.
		return &e.GTIDEvent, e.Decode(body) == nil && e.GNO > 0 && !bytes.Contains(body, []byte{0xff})
	}
	var e replication.GTIDEvent
	return &e, e.Decode(body) == nil
}

// FuzzHeads: the other heads decode or are refused, and give nothing that the page or a log could not print.
func FuzzHeads(f *testing.F) {
	f.Add(newBuilder(true).packets[1])
	f.Add(newBuilder(true).packets[0])
	f.Add(raw(typeQuery, 0, 0, queryBody("shop", "/* x */ SAVEPOINT `s`", 0, qTimeZone, 3, 'U', 'T', 'C'), false))
	f.Add(raw(typeHeartbeatV2, 0, 0, []byte{1, 1, 'x', 2, 1, 9, 0}, false))
	f.Fuzz(func(t *testing.T, packet []byte) {
		var h header
		if h.parse(packet) != nil {
			return
		}
		ev := &event{header: h, body: packet[headerSize:]}
		_, _ = parseFormat(packet)
		if at, err := parseRotate(ev.body); err == nil && (!validFile(at.File) || at.Pos < 4) {
			t.Errorf("a rotation to %q", at)
		}
		if at, err := parseHeartbeat(ev); err == nil && !validFile(at.File) {
			t.Errorf("a heartbeat at %q", at)
		}
		if q, err := parseQuery(ev.body); err == nil {
			classify(q.sql)
			dropsTemporary(q.sql)
			definesTable(q.sql)
		}
	})
}
