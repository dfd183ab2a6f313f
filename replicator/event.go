package replicator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/binseal/binseal/change"
)

// Event types. Source: mysql/binlog/event/binlog_event.h, Log_event_type.
const (
	typeQuery             byte = 2
	typeStop              byte = 3
	typeRotate            byte = 4
	typeIntvar            byte = 5
	typeRand              byte = 13
	typeUserVar           byte = 14
	typeFormatDescription byte = 15
	typeXID               byte = 16
	typeBeginLoadQuery    byte = 17
	typeExecuteLoadQuery  byte = 18
	typeTableMap          byte = 19
	typeWriteRowsV0       byte = 20
	typeUpdateRowsV0      byte = 21
	typeDeleteRowsV0      byte = 22
	typeWriteRowsV1       byte = 23
	typeUpdateRowsV1      byte = 24
	typeDeleteRowsV1      byte = 25
	typeIncident          byte = 26
	typeHeartbeat         byte = 27
	typeIgnorable         byte = 28
	typeRowsQuery         byte = 29
	typeWriteRows         byte = 30
	typeUpdateRows        byte = 31
	typeDeleteRows        byte = 32
	typeGTID              byte = 33
	typeAnonymousGTID     byte = 34
	typePreviousGTIDs     byte = 35
	typeTransactionCtx    byte = 36
	typeViewChange        byte = 37
	typeXAPrepare         byte = 38
	typePartialUpdateRows byte = 39
	typePayload           byte = 40
	typeHeartbeatV2       byte = 41
	typeTaggedGTID        byte = 42
)

// Event types of MariaDB. Source: MariaDB, log_event.h, Log_event_type.
const (
	typeAnnotateRows           byte = 160
	typeBinlogCheckpoint       byte = 161
	typeMariaDBGTID            byte = 162
	typeGTIDList               byte = 163
	typeStartEncryption        byte = 164
	typeQueryCompressed        byte = 165
	typeWriteRowsCompressedV1  byte = 166
	typeUpdateRowsCompressedV1 byte = 167
	typeDeleteRowsCompressedV1 byte = 168
	typeWriteRowsCompressed    byte = 169
	typeUpdateRowsCompressed   byte = 170
	typeDeleteRowsCompressed   byte = 171
)

// Flags of the common header. Source: binlog_event.h, LOG_EVENT_*_F.
const (
	flagArtificial uint16 = 0x20 // Made for this connection; not in the log.
	flagIgnorable  uint16 = 0x80 // A replica that does not know the type may skip it.
)

const (
	headerSize   = 19
	checksumSize = 4
)

// header is the common header of every event.
// Layout: binlog_event.h, Log_event_header; little-endian.
type header struct {
	timestamp uint32 // Seconds; when the statement began on the source.
	typ       byte
	serverID  uint32
	size      uint32 // Of the whole event, with header and checksum.
	logPos    uint32 // End of the event in its file, modulo 4 GiB; 0 when it has no place there.
	flags     uint16
}

// parse reads the first 19 bytes of an event.
func (h *header) parse(raw []byte) error {
	if len(raw) < headerSize {
		return errShort
	}
	le := binary.LittleEndian
	h.timestamp, h.typ, h.serverID = le.Uint32(raw), raw[4], le.Uint32(raw[5:])
	h.size, h.logPos, h.flags = le.Uint32(raw[9:]), le.Uint32(raw[13:]), le.Uint16(raw[17:])
	if h.size < headerSize {
		return fmt.Errorf("an event of %d bytes is shorter than its header", h.size)
	}
	return nil
}

// event is one event with its place in the log. Who makes it uses it again for the next: what is kept of it is copied.
type event struct {
	header
	body []byte // Behind the header, without the checksum.
	lent bool   // The body's memory is the packet buffer's: what is kept of it must be copied.
	held int    // Bytes of memory that stay alive as long as one slice of body does.
	// Begin and end in the log. An event inside a Transaction_payload has the payload's.
	start, end change.Position
}

// gtidEvent is a GTID_LOG, ANONYMOUS_GTID_LOG or GTID_TAGGED_LOG event.
type gtidEvent struct {
	gtid      change.GTID
	committed time.Time // immediate_commit_timestamp; zero before MySQL 8.0.1.
	original  time.Time // original_commit_timestamp; zero before MySQL 8.0.1, also of its source.
}

// parseGTIDEvent decodes any of the three.
func parseGTIDEvent(ev *event) (gtidEvent, error) {
	if ev.typ == typeTaggedGTID {
		return parseTaggedGTID(ev.body)
	}
	return parseGTID(ev)
}

// parseGTID decodes GTID_LOG and ANONYMOUS_GTID_LOG.
// Layout: control_events.h, Gtid_event: flags 1, uuid 16, number 8, then optionally 2 as a type byte, two logical
// timestamps of 8, and commit timestamps of 7 bytes, the highest bit of the first telling whether a second follows.
func parseGTID(ev *event) (gtidEvent, error) {
	c := cursor{rest: ev.body}
	c.skip(1)
	id := c.bytes(16)
	gno := int64(c.uint64())
	if c.err != nil {
		return gtidEvent{}, c.err
	}
	g := gtidEvent{}
	if ev.typ == typeGTID {
		g.gtid = change.GTID{UUID: uuid.UUID(id), GNO: gno}
		if gno <= 0 {
			return gtidEvent{}, fmt.Errorf("transaction number %d is not positive", gno)
		}
	}
	const logicalTimestamps = 2
	if len(c.rest) >= 1+8+8+7 && c.uint8() == logicalTimestamps {
		c.skip(16)
		const secondFollows = uint64(1) << 55
		immediate := c.uint(7)
		g.committed = microTime(immediate &^ secondFollows)
		g.original = g.committed
		if immediate&secondFollows != 0 { // A replica has logged it again.
			g.original = microTime(c.uint(7))
		}
	}
	return g, c.err
}

// microTime is the time of a commit timestamp, microseconds since 1970; zero stays the zero time.
func microTime(micros uint64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(micros)).UTC()
}

// Field ids of a GTID_TAGGED_LOG event. Source: control_events.h, Gtid_event::define_fields.
const (
	taggedFlags = iota
	taggedUUID
	taggedGNO
	taggedTag
	taggedLastCommitted
	taggedSequenceNumber
	taggedImmediateTimestamp
	taggedOriginalTimestamp
	taggedTransactionLength
	taggedImmediateVersion
	taggedOriginalVersion
	taggedTicket

	maxTaggedField = 127
)

// validTag tells whether a server would write a tag: at most 32 letters, digits and underscores, in lower case.
// Source: mysql/gtid/tag.h, Tag.
func validTag(tag string) bool {
	for i, c := range []byte(tag) {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(tag) <= 32
}

// parseTaggedGTID decodes GTID_TAGGED_LOG (MySQL 8.3 and later), a message of the mysql::serialization format:
// version 1, size, last field that may not be ignored, then (field id, value) in the order of ids, absent ones left out.
func parseTaggedGTID(body []byte) (gtidEvent, error) {
	c := cursor{rest: body}
	if version := c.varlen(); version != 1 && c.err == nil {
		return gtidEvent{}, fmt.Errorf("serialization version %d", version)
	}
	if size := c.varlen(); size != uint64(len(body)) && c.err == nil {
		return gtidEvent{}, fmt.Errorf("a message of %d bytes in an event of %d", size, len(body))
	}
	needed := c.varlen()
	var g gtidEvent
	original, hasOriginal := uint64(0), false
	next := uint64(0) // The least id that may follow: fields come in the order of their ids, each once.
	found := 0        // Fields that name the transaction.
	for !c.done() {
		id := c.varlen()
		if id > maxTaggedField && c.err == nil { // Of one byte, as all known ones: a larger one is damage, not a newer server.
			return gtidEvent{}, fmt.Errorf("field %d is out of range", id)
		}
		if id < next && c.err == nil {
			return gtidEvent{}, fmt.Errorf("field %d is out of order", id)
		}
		next = id + 1
		if id == taggedUUID || id == taggedGNO || id == taggedTag {
			found++
		}
		switch id {
		case taggedUUID:
			for i := range g.gtid.UUID {
				v := c.varlen()
				if v > 0xff {
					return gtidEvent{}, errors.New("a server's id with a byte above 255")
				}
				g.gtid.UUID[i] = byte(v)
			}
		case taggedGNO:
			g.gtid.GNO = c.signedVarlen()
		case taggedTag:
			g.gtid.Tag = string(c.bytes(int(min(c.varlen(), 1<<16))))
		case taggedLastCommitted, taggedSequenceNumber:
			c.signedVarlen()
		case taggedImmediateTimestamp:
			g.committed = microTime(c.varlen())
		case taggedOriginalTimestamp:
			original, hasOriginal = c.varlen(), true
		case taggedFlags, taggedTransactionLength, taggedImmediateVersion, taggedOriginalVersion, taggedTicket:
			c.varlen()
		default:
			if c.err == nil && id <= needed {
				return gtidEvent{}, fmt.Errorf("field %d is not known and may not be ignored", id)
			}
			c.rest = nil // The format says: a newer field, which an older reader may ignore with all behind it.
		}
	}
	if g.original = g.committed; hasOriginal { // Left out where it is the same.
		g.original = microTime(original)
	}
	if c.err == nil && (found != 3 || g.gtid.GNO <= 0 || !validTag(g.gtid.Tag) || g.gtid.UUID == uuid.Nil) {
		return gtidEvent{}, fmt.Errorf("transaction number %d, its tag or its server's id is missing or out of range", g.gtid.GNO)
	}
	return g, c.err
}

// queryEvent is a QUERY event: BEGIN, COMMIT, SAVEPOINT, DDL, or a statement in statement format.
type queryEvent struct {
	errorCode  uint16 // What the statement failed with on the source, 0 when it succeeded.
	statusVars []byte
	database   []byte
	sql        []byte
}

// parseQuery decodes a QUERY event.
// Layout: statement_events.h, Query_event: thread 4, seconds 4, database length 1, error 2, status variables' length
// 2, status variables, database, a zero byte, statement.
func parseQuery(body []byte) (queryEvent, error) {
	c := cursor{rest: body}
	c.skip(8)
	dbLen := int(c.uint8())
	q := queryEvent{errorCode: c.uint16()}
	q.statusVars = c.bytes(int(c.uint16()))
	q.database = c.bytes(dbLen)
	c.skip(1)
	q.sql = c.rest
	return q, c.err
}

// parseRotate decodes a ROTATE event: the first position in the next file, and its name.
func parseRotate(body []byte) (change.Position, error) {
	c := cursor{rest: body}
	p := change.Position{Pos: c.uint64()}
	p.File = string(c.rest)
	if c.err != nil {
		return change.Position{}, c.err
	}
	if !validFile(p.File) || p.Pos < 4 {
		return change.Position{}, fmt.Errorf("a rotation to no file")
	}
	return p, nil
}

// validFile keeps a file name that arrives over the wire printable: it goes into logs, pages and the checkpoint.
func validFile(name string) bool {
	return name != "" && len(name) <= 512 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// parseHeartbeat decodes both versions of the heartbeat: the end of what the source has sent or skipped.
// Version 1 (27) is the file's name, with a position of 32 bits in the header. Version 2 (41) has fields of
// (type 1, length 1, value): file name 1, position 2, end 0. Layout: control_events.h, Heartbeat_event_v2.
func parseHeartbeat(ev *event) (change.Position, error) {
	if ev.typ == typeHeartbeat {
		name := string(bytes.TrimRight(ev.body, "\x00"))
		if !validFile(name) {
			return change.Position{}, fmt.Errorf("a heartbeat without a file")
		}
		return change.Position{File: name, Pos: uint64(ev.logPos)}, nil
	}
	c := cursor{rest: ev.body}
	var p change.Position
	for !c.done() {
		field := c.uint8()
		if field == 0 {
			break
		}
		value := cursor{rest: c.bytes(int(c.uint8()))}
		switch field {
		case 1:
			p.File = string(value.rest)
		case 2:
			p.Pos = value.packed()
		}
		if value.err != nil {
			return change.Position{}, value.err
		}
	}
	if c.err == nil && !validFile(p.File) {
		return change.Position{}, fmt.Errorf("a heartbeat without a file")
	}
	return p, c.err
}

// parseFormat decodes what matters of a FORMAT_DESCRIPTION event: whether the events behind it end in a CRC32.
// Layout: control_events.h, Format_description_event: version 2, server version 50, created 4, header length 1, a
// byte per event type, then (5.6.1 and later) checksum algorithm 1 and checksum 4.
func parseFormat(raw []byte) (crc bool, err error) {
	c := cursor{rest: raw}
	c.skip(headerSize)
	version := c.uint16()
	c.skip(50 + 4)
	length := c.uint8()
	if c.err == nil && len(c.rest) < int(typeDeleteRows)+1+checksumSize {
		return false, errShort // 5.6.1 and later know at least the row events of version 2.
	}
	if c.err != nil {
		return false, c.err
	}
	if version != 4 || length != headerSize {
		return false, fmt.Errorf("log format %d with headers of %d bytes", version, length)
	}
	switch algorithm := c.rest[len(c.rest)-checksumSize-1]; algorithm {
	case 0:
		// Without checksums damage would go unseen from here on, so this event's own is asked whether it was written so.
		written := bytes.Clone(raw)
		written[len(raw)-checksumSize-1] = 1
		if _, err := verify(written); err == nil {
			return false, errChecksum
		}
		return false, nil
	case 1:
		return true, nil
	default:
		return false, fmt.Errorf("checksum algorithm %d", algorithm)
	}
}
