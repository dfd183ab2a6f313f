package replicator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/binseal/binseal/change"
)

// errChecksum means that an event's bytes are not those that the source wrote.
var errChecksum = errors.New("the checksum does not fit")

// framer gives each packet of the dump its place in the log and proves that none is missing: within a file, every
// event must begin where the one before it ended. A lost packet would otherwise be lost rows (invariant 2).
//
// Positions are counted in 64 bits, since the header's 32 bits wrap when a transaction takes a file past 4 GiB.
type framer struct {
	byGTID   bool // The source skips what we have, so a heartbeat may move the position forward.
	checksum bool // The events of this file end in a CRC32.
	pos      change.Position
	proved   bool // An event was where it must be.
	// discard is set when the dump had to begin before the place that was asked for: events up to it are dropped.
	discard change.Position
	// seeking holds the domains of which a MariaDB source may still leave out transactions: see seek. searching is set
	// until the first transaction or heartbeat: the source is silent while it reads over what it leaves out.
	seeking   map[uint32]bool
	searching bool
	ev        event // Given by next.
}

// seek tells that a MariaDB source is asked by GTID. It reads the file in which the position lies from its begin and
// leaves out, without a word, the transactions of each domain up to the position's: until a domain's first transaction
// has come, one more may be missing before it. Behind that, nothing may be missing.
func (f *framer) seek(from change.GTIDSet) {
	f.seeking, f.searching = map[uint32]bool{}, true
	for _, domain := range from.Domains() {
		f.seeking[domain] = true
	}
}

// found moves the position over transactions that the source has left out, when that may be: between two
// transactions, forward.
func (f *framer) found(ev *event) {
	switch ev.typ {
	case typeMariaDBGTID, typeBinlogCheckpoint, typeRotate, typeStop:
	default:
		return
	}
	if len(f.seeking) == 0 {
		return
	}
	if left := ev.logPos - ev.size - uint32(f.pos.Pos); left < 1<<31 { // Of 32 bits, as the header's position.
		f.pos.Pos += uint64(left)
		ev.start = f.pos
	}
	if g, err := parseMariaDBGTID(ev); err == nil && ev.typ == typeMariaDBGTID {
		delete(f.seeking, g.gtid.Domain)
		f.searching = false
	}
}

// next takes one event off the wire. deliver is false for what concerns only the framer (heartbeats, formats made
// for the connection, rotations) and for what is dropped. An error is a *change.Fault without its place; nothing can
// be read behind it, since the place of what follows is not known. The event, which is never nil, is valid until the
// next call.
func (f *framer) next(raw []byte) (ev *event, deliver bool, err error) {
	ev = &f.ev
	if err := f.open(raw); err != nil {
		return ev, false, err
	}
	if ev.typ == typeHeartbeat || ev.typ == typeHeartbeatV2 {
		return ev, false, f.heartbeat(ev)
	}
	if err := f.advance(ev); err != nil {
		return ev, false, f.doubt(err)
	}
	if ev.typ == typeRotate {
		to, err := parseRotate(ev.body)
		if err != nil {
			return ev, false, malformed(err)
		}
		f.pos = to
		return ev, ev.flags&flagArtificial == 0, nil
	}
	dropped, err := f.dropped(ev)
	return ev, !dropped && err == nil, err
}

// open takes a packet apart into header and body and checks both.
func (f *framer) open(raw []byte) error {
	ev := &f.ev
	*ev = event{held: cap(raw), start: f.pos, end: f.pos}
	if err := ev.header.parse(raw); err != nil {
		return f.doubt(err)
	}
	if int64(ev.size) != int64(len(raw)) {
		return f.doubt(fmt.Errorf("an event of %d bytes came in a packet of %d", ev.size, len(raw)))
	}
	if ev.typ == typeFormatDescription {
		crc, err := parseFormat(raw)
		if err != nil {
			return malformed(err)
		}
		f.checksum = crc
	}
	if ev.body = raw[headerSize:]; !f.checksum {
		return nil
	}
	body, err := verify(raw)
	switch {
	case err != nil && !f.proved && !f.byGTID:
		return f.doubt(err)
	case err != nil:
		return malformed(err)
	}
	ev.body = body
	return nil
}

// doubt is the fault of an event that is not where it must be. Before any event has proved the position that the
// dump began at, the position itself is the likely reason, and reading again does not help.
func (f *framer) doubt(err error) error {
	if f.proved || f.byGTID {
		return lost(err)
	}
	fault := halt(codePosition, "the position to start from is not where an event begins, or the log is damaged there",
		"take the position from a checkpoint, from SHOW BINLOG EVENTS or from mysqlbinlog")
	fault.Err = err
	return fault
}

// verify checks the CRC32 at an event's end and gives the body without it.
func verify(raw []byte) (body []byte, err error) {
	if len(raw) < headerSize+checksumSize {
		return nil, errShort
	}
	data, sum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	var fits bool
	if len(raw)%crcStride < len(data)%crcStride {
		fits = crc32.ChecksumIEEE(raw) == crcResidue
	} else {
		fits = crc32.ChecksumIEEE(data) == binary.LittleEndian.Uint32(sum)
	}
	if !fits {
		return nil, errChecksum
	}
	return data[headerSize:], nil
}

// Bytes with their own CRC32 behind them have a CRC32 of crcResidue, whatever they are, and nothing else has. A CPU takes
// crcStride bytes at once and what is left over one by one, so verify looks at the length that leaves less.
const (
	crcResidue = 0x2144df1c
	crcStride  = 16
)

// advance moves the position over an event that has a place in the log.
func (f *framer) advance(ev *event) error {
	// Made for this connection: a rotation, or the format before a start in the middle of a file. (The header has 32 bits of the
	// position: 0 is also the end of an event that ends at a multiple of 4 GiB.)
	if ev.flags&flagArtificial != 0 || ev.logPos == 0 && (ev.typ == typeFormatDescription || uint32(f.pos.Pos)+ev.size != 0) {
		return nil
	}
	if f.pos.IsZero() {
		return errors.New("an event came before the name of its file")
	}
	f.found(ev)
	end := f.pos.Pos + uint64(ev.size)
	if uint32(end) != ev.logPos {
		return fmt.Errorf("an event ends at %d where %d follows from the events before it", ev.logPos, uint32(end))
	}
	f.pos.Pos, f.proved = end, true
	ev.end = f.pos
	return nil
}

// heartbeat holds the source's idea of the position against ours. In GTID mode the source skips what we have and
// tells so by a heartbeat; nothing else may move the position without an event.
func (f *framer) heartbeat(ev *event) error {
	f.searching = false
	at, err := parseHeartbeat(ev)
	if err != nil {
		return malformed(err)
	}
	if at.File == f.pos.File {
		if at.Pos == f.pos.Pos || (ev.typ == typeHeartbeat && uint32(at.Pos) == uint32(f.pos.Pos)) {
			return nil
		}
		if f.byGTID && at.Pos > f.pos.Pos {
			f.pos.Pos = at.Pos
			return nil
		}
	}
	return lost(fmt.Errorf("a heartbeat speaks of %s, events were read up to %s", at, f.pos))
}

// dropped reports whether ev lies before the place that was asked for, see discard.
func (f *framer) dropped(ev *event) (bool, error) {
	switch {
	case f.discard.IsZero():
		return false, nil
	case ev.end.Compare(f.discard) <= 0:
		return true, nil
	case ev.start.Compare(f.discard) < 0:
		f.proved = false
		return false, f.doubt(fmt.Errorf("%s is inside an event", f.discard))
	}
	f.discard = change.Position{}
	return false, nil
}
