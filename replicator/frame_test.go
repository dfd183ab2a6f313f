package replicator

import (
	"bytes"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
)

func TestFramer(t *testing.T) {
	tests := map[string]struct {
		build  func(b *builder)
		byGTID bool
		edit   func(*framer, *assembler)
		want   int // Transactions.
		code   string
	}{
		"an event is missing": {
			build: func(b *builder) { b.gtid(1); b.query("BEGIN"); b.xid(); drop(b, 1) }, code: "BS-PROTOCOL"},
		"a whole transaction is missing": {
			build: func(b *builder) { ddl(b, 1); ddl(b, 2); ddl(b, 3); drop(b, 3); drop(b, 2) }, want: 1, code: "BS-PROTOCOL"},
		"a changed byte": {
			build: func(b *builder) { ddl(b, 1); last := b.packets[len(b.packets)-1]; last[len(last)-8] ^= 1 }, code: "BS-CHECKSUM"},
		"a packet that is cut off": {
			build: func(b *builder) { ddl(b, 1); b.packets[3] = b.packets[3][:30] }, code: "BS-PROTOCOL"},
		"a packet that is shorter than a header": {
			build: func(b *builder) { ddl(b, 1); b.packets[3] = b.packets[3][:7] }, code: "BS-PROTOCOL"},
		"heartbeats of both versions at our position": {
			build: func(b *builder) {
				ddl(b, 1)
				b.heartbeat(typeHeartbeat, b.pos)
				b.heartbeat(typeHeartbeatV2, b.pos)
				ddl(b, 2)
			}, want: 2},
		"a heartbeat ahead, by GTID: the source skipped what we have": {
			build: func(b *builder) { ddl(b, 1); b.pos += 1000; b.heartbeat(typeHeartbeatV2, b.pos); ddl(b, 2) }, byGTID: true, want: 2},
		"a heartbeat ahead, by position: events are missing": {
			build: func(b *builder) { ddl(b, 1); b.pos += 1000; b.heartbeat(typeHeartbeatV2, b.pos) }, want: 1, code: "BS-PROTOCOL"},
		"a heartbeat ahead inside a transaction": {
			build: func(b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.pos += 1000
				b.heartbeat(typeHeartbeatV2, b.pos)
				b.xid()
			}, byGTID: true, code: "BS-PROTOCOL"},
		"a heartbeat behind us": {
			build: func(b *builder) { ddl(b, 1); b.heartbeat(typeHeartbeatV2, b.pos-1) }, byGTID: true, want: 1, code: "BS-PROTOCOL"},
		"a heartbeat of another file": {
			build: func(b *builder) { ddl(b, 1); b.file = "binlog.000009"; b.heartbeat(typeHeartbeatV2, b.pos) }, byGTID: true, want: 1, code: "BS-PROTOCOL"},
		"a rotation, told twice": {
			build: func(b *builder) {
				ddl(b, 1)
				b.rotateTo("binlog.000002", 4, 0)
				b.rotateTo("binlog.000002", 4, flagArtificial)
				ddl(b, 2)
			}, want: 2},
		"a rotation to a name that is none": {
			build: func(b *builder) { ddl(b, 1); b.rotateTo("bin\nlog", 4, 0) }, want: 1, code: "BS-EVENT-MALFORMED"},
		"positions wrap at 4 GiB": {
			build: func(b *builder) {
				b.rotateTo(b.file, 1<<32-50, flagArtificial)
				ddl(b, 1)
				b.heartbeat(typeHeartbeat, b.pos)
				b.heartbeat(typeHeartbeatV2, b.pos)
				ddl(b, 2)
			}, want: 2},
		"an event ends at 4 GiB": {
			build: func(b *builder) {
				b.rotateTo(b.file, 1<<32-(afterGTID()-4), flagArtificial)
				ddl(b, 1)
				ddl(b, 2)
			}, want: 2},
		"what lies before the place that was asked for is dropped": {
			build: func(b *builder) { ddl(b, 1); ddl(b, 2); ddl(b, 3) },
			edit: func(f *framer, _ *assembler) {
				f.discard = change.Position{File: "binlog.000001", Pos: afterDDL(2)}
			}, want: 1},
		"the place that was asked for is inside an event": {
			build: func(b *builder) { ddl(b, 1); ddl(b, 2) },
			edit: func(f *framer, _ *assembler) {
				f.discard = change.Position{File: "binlog.000001", Pos: afterDDL(1) + 1}
			}, code: "BS-POSITION-INVALID"},
		"a start inside an event": {
			build: func(b *builder) {
				format := b.packets[1] // In front of a start inside a file it has no place.
				b.packets[1] = raw(typeFormatDescription, 0, 0, format[headerSize:len(format)-checksumSize], true)
				b.rotateTo(b.file, 777, flagArtificial)
				b.pos++
				ddl(b, 1)
			},
			code: "BS-POSITION-INVALID"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(true)
			tc.build(b)
			got, err := read(t, b.packets, tc.byGTID, tc.edit)
			if len(got) != tc.want {
				t.Errorf("%d transactions, want %d:\n%s", len(got), tc.want, strings.Join(got, "\n"))
			}
			wantFault(t, tc.code, err)
		})
	}
}

// ddl adds a transaction of two events, all of one size.
func ddl(b *builder, gno int64) {
	b.gtid(gno)
	b.query("DROP TABLE a")
}

// afterGTID is the position behind a GTID event at the begin of a file.
func afterGTID() uint64 {
	b := newBuilder(true)
	b.rotateTo(b.file, 4, flagArtificial)
	b.gtid(1)
	return b.pos
}

// afterDDL is the position behind n calls of ddl.
func afterDDL(n int) uint64 {
	b := newBuilder(true)
	for range n {
		ddl(b, 1)
	}
	return b.pos
}

// drop takes the n-th packet from the end out of the stream.
func drop(b *builder, n int) {
	i := len(b.packets) - 1 - n
	b.packets = append(b.packets[:i], b.packets[i+1:]...)
}

func TestFormatsThatAreRefused(t *testing.T) {
	good := newBuilder(true).packets[1]
	edit := func(at int, v byte) []byte { c := append([]byte{}, good...); c[at] = v; return c }
	for name, packet := range map[string][]byte{
		"version 3":                edit(headerSize, 3),
		"a header of 13 bytes":     edit(headerSize+56, 13),
		"checksum algorithm 7":     edit(len(good)-5, 7),
		"a checksum that is wrong": edit(len(good)-1, good[len(good)-1]^1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, [][]byte{newBuilder(true).packets[0], packet}, true, nil)
			if f := change.FaultOf(err); f == nil || f.Class != change.ClassPerson {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A checksum is found right or wrong at each length, wherever the damage is.
func TestVerify(t *testing.T) {
	for n := range 100 {
		good := raw(typeQuery, 0, 4711, bytes.Repeat([]byte{byte(n), 7}, n)[:n], true)
		if body, err := verify(good); err != nil || len(body) != n {
			t.Errorf("%d bytes: %d, %v", n, len(body), err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (n % 8)
			if _, err := verify(bad); err != errChecksum {
				t.Errorf("%d bytes, damaged at %d: %v", n, i, err)
			}
		}
	}
}
