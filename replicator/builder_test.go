package replicator

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/binseal/binseal/change"
)

// builder writes events as a source would, each at its place in one file.
type builder struct {
	file    string
	pos     uint64
	crc     bool
	packets [][]byte
}

// newBuilder begins a dump: the rotation that names the file, and the format.
func newBuilder(crc bool) *builder {
	b := &builder{file: "binlog.000001", pos: 4}
	b.rotateTo(b.file, 4, flagArtificial)
	body := append(le(4, 2), make([]byte, 50+4)...)
	copy(body[2:], "9.7.4")
	body = append(body, headerSize)
	body = append(body, make([]byte, int(typeTaggedGTID))...)
	algorithm := byte(0)
	if crc {
		algorithm = 1
	}
	b.crc = true // A format always has room for a checksum.
	b.add(typeFormatDescription, 0, append(body, algorithm))
	b.crc = crc
	return b
}

func le(v uint64, n int) []byte {
	return binary.LittleEndian.AppendUint64(nil, v)[:n]
}

// raw makes an event that ends at logPos.
func raw(typ byte, flags uint16, logPos uint64, body []byte, crc bool) []byte {
	size := headerSize + len(body)
	if crc {
		size += checksumSize
	}
	e := append(le(1700000000, 4), typ)
	e = append(append(e, le(101, 4)...), le(uint64(size), 4)...)
	e = append(append(e, le(logPos&0xffffffff, 4)...), le(uint64(flags), 2)...)
	e = append(e, body...)
	if crc {
		e = binary.LittleEndian.AppendUint32(e, crc32.ChecksumIEEE(e))
	}
	return e
}

// add appends an event to the file.
func (b *builder) add(typ byte, flags uint16, body []byte) {
	size := headerSize + len(body)
	if b.crc {
		size += checksumSize
	}
	b.pos += uint64(size)
	b.packets = append(b.packets, raw(typ, flags, b.pos, body, b.crc))
}

// rotateTo names the next file; artificial rotations take no place in the log.
func (b *builder) rotateTo(file string, pos uint64, flags uint16) {
	body := append(le(pos, 8), file...)
	if flags&flagArtificial != 0 {
		b.packets = append(b.packets, raw(typeRotate, flags, 0, body, b.crc))
	} else {
		b.add(typeRotate, flags, body)
	}
	b.file, b.pos = file, pos
}

// heartbeat tells a position, in the version of the event type.
func (b *builder) heartbeat(typ byte, pos uint64) {
	body := []byte(b.file)
	if typ == typeHeartbeatV2 {
		body = append([]byte{1, byte(len(b.file))}, b.file...)
		body = append(append(body, 2, 9, 0xfe), le(pos, 8)...)
		body = append(body, 0)
	}
	b.packets = append(b.packets, raw(typ, flagArtificial, pos, body, b.crc))
}

var testUUID = uuid.MustParse("3e11fa47-71ca-11e1-9e33-c80aa9429562")

const commitMicros = 1700000001234567

// gtidBody is the body of a GTID event.
func gtidBody(gno int64) []byte {
	body := append([]byte{1}, testUUID[:]...)
	body = append(append(body, le(uint64(gno), 8)...), 2)
	body = append(append(body, le(1, 8)...), le(2, 8)...)
	return append(body, le(commitMicros, 7)...)
}

func (b *builder) gtid(gno int64) { b.add(typeGTID, 0, gtidBody(gno)) }
func (b *builder) anonymous()     { b.add(typeAnonymousGTID, 0, make([]byte, 25)) }

func queryBody(database, sql string, errorCode uint16, vars ...byte) []byte {
	body := append(le(0, 8), byte(len(database)))
	body = append(append(body, le(uint64(errorCode), 2)...), le(uint64(len(vars)), 2)...)
	body = append(append(append(body, vars...), database...), 0)
	return append(body, sql...)
}

func (b *builder) query(sql string) { b.add(typeQuery, 0, queryBody("shop", sql, 0)) }
func (b *builder) xid()             { b.add(typeXID, 0, le(9, 8)) }

// tableMapBody describes shop.<table> with one INT column.
func tableMapBody(id uint64, table string) []byte {
	body := append(le(id, 6), le(1, 2)...)
	body = append(append(body, 4), "shop\x00"...)
	body = append(append(body, byte(len(table))), table...)
	return append(body, 0, 1, 3, 0, 0) // One column, LONG, no metadata, NOT NULL.
}

func (b *builder) tableMap(id uint64, table string) {
	b.add(typeTableMap, 0, tableMapBody(id, table))
}

// insertBody inserts the values into a table of tableMapBody.
func insertBody(id uint64, flags uint16, values ...uint32) []byte {
	body := append(append(le(id, 6), le(uint64(flags), 2)...), le(2, 2)...)
	body = append(body, 1, 0xff)
	for _, v := range values {
		body = append(append(body, 0), le(uint64(v), 4)...)
	}
	return body
}

func (b *builder) insert(id uint64, values ...uint32) {
	b.add(typeWriteRows, 0, insertBody(id, change.FlagStmtEnd, values...))
}

// xaText is a statement of XA as the server writes it.
func xaText(verb, gtrid string) string { return fmt.Sprintf("XA %s X'%x',X'',1", verb, gtrid) }

func xaPrepareBody(gtrid string, onePhase bool) []byte {
	body := append(make([]byte, 1), le(1, 4)...)
	if onePhase {
		body[0] = 1
	}
	body = append(append(body, le(uint64(len(gtrid)), 4)...), le(0, 4)...)
	return append(body, gtrid...)
}

// xaPrepare is an XA transaction that inserts into shop.a, without its GTID.
func (b *builder) xaPrepare(gtrid string, onePhase bool, values ...uint32) {
	b.query(xaText("START", gtrid))
	b.tableMap(7, "a")
	b.insert(7, values...)
	b.query(xaText("END", gtrid))
	b.add(typeXAPrepare, 0, xaPrepareBody(gtrid, onePhase))
}

// inner makes events as they stand inside a payload: without checksum and without a place.
func inner(events ...[]byte) []byte {
	var all []byte
	for _, e := range events {
		all = append(all, e...)
	}
	return all
}

// payloadBody packs events; compression 0 is zstd, 255 none.
func payloadBody(t testing.TB, compression byte, declared int, plain []byte) []byte {
	t.Helper()
	data := plain
	if compression == 0 {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		data = w.EncodeAll(plain, nil)
		w.Close()
	}
	packed := func(v uint64) []byte { return append([]byte{9, 0xfe}, le(v, 8)...) }
	body := append([]byte{2}, packed(uint64(compression))...)
	body = append(append(body, 3), packed(uint64(declared))...)
	body = append(append(body, 1), packed(uint64(len(data)))...)
	return append(append(body, 0), data...)
}

// each yields batches one by one.
func each(yield func(*change.Txn) error) func([]*change.Txn) error {
	return func(batch []*change.Txn) error {
		for _, t := range batch {
			if err := yield(t); err != nil {
				return err
			}
		}
		return nil
	}
}
