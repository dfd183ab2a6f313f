package replicator

import (
	"encoding/binary"
	"testing"

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
	b.rotateTo("binlog.000002", 4, 0)
	b.rotateTo("binlog.000002", 4, flagArtificial)
	b.anonymous()
	b.query("DROP TABLE a")
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
		if err != nil || len(got) != 5 {
			t.Errorf("%d transactions, %v", len(got), err)
		}
	}
}

// FuzzStream mutates a whole stream without checksums: whatever comes must end in transactions or one fault, never
// in a panic, an endless loop or memory that the input does not pay for.
func FuzzStream(f *testing.F) {
	f.Add(join(seedHistory(f, false)), false)
	f.Add(join(seedHistory(f, true)), true)
	f.Fuzz(func(t *testing.T, data []byte, byGTID bool) {
		held := 0
		_, err := read(t, split(data), byGTID, func(fr *framer, a *assembler) {
			a.maxPart = 64 << 10
			a.payload.maxEvent = 64 << 10
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
	f.Add(typeHeartbeatV2, []byte{1, 1, 'x', 2, 1, 9, 0})
	f.Add(typeRotate, append(le(4, 8), "binlog.000002"...))
	plain := raw(typeXID, 0, 0, le(1, 8), false)
	f.Add(typePayload, payloadBody(f, 0, len(plain), plain))
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
