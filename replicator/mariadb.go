package replicator

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// MariaDB's transactions:
//
//	GTID, (ANNOTATE_ROWS, TABLE_MAP…, ROWS…)…, XID or QUERY COMMIT    a transaction of row changes: no BEGIN
//	GTID "standalone", QUERY                                          DDL
//	GTID, QUERY CREATE TABLE, (TABLE_MAP…, ROWS…)…, XID               CREATE TABLE … SELECT
//	GTID "start alter", QUERY; …; GTID "commit alter", QUERY          an ALTER in two phases (binlog_alter_two_phase)
//	GTID "prepared XA", (TABLE_MAP…, ROWS…)…, QUERY XA END, XA_PREPARE   held until it is decided: see heldSet
//	GTID "completed XA", QUERY XA COMMIT or XA ROLLBACK                  the decision; ONE PHASE is a plain transaction
//
// QUERY and ROWS events may be compressed, each by itself (log_bin_compress).

// Flags of a MariaDB GTID event, and those of its second byte. Source: MariaDB, log_event.h, Gtid_log_event.
const (
	gtidStandalone    = 1 << 0
	gtidGroupCommitID = 1 << 1
	gtidPreparedXA    = 1 << 6
	gtidCompletedXA   = 1 << 7

	gtidMultiEngine   = 1 << 0 // More than one engine took part: nothing to us.
	gtidStartAlter    = 1 << 1
	gtidCommitAlter   = 1 << 2
	gtidRollbackAlter = 1 << 3
	gtidThreadID      = 1 << 4 // The session's id follows (11.5).
	gtidExtraKnown    = gtidMultiEngine | gtidStartAlter | gtidCommitAlter | gtidRollbackAlter | gtidThreadID
)

// mariadbGTID is a GTID event of MariaDB.
type mariadbGTID struct {
	gtid         change.GTID
	flags, extra byte
}

// parseMariaDBGTID decodes a GTID event of MariaDB.
// Layout: MariaDB, log_event.cc, Gtid_log_event: number 8, domain 4, flags 1, with a group commit its id 8, with an XA
// transaction its name (format 4, two lengths of 1, bytes), further flags 1, which older releases leave out or zero.
// The server is in the event's header.
func parseMariaDBGTID(ev *event) (mariadbGTID, error) {
	c := cursor{rest: ev.body}
	g := mariadbGTID{gtid: change.GTID{GNO: int64(c.uint64()), Domain: c.uint32(), Server: ev.serverID}, flags: c.uint8()}
	if g.flags&gtidGroupCommitID != 0 {
		c.skip(8)
	}
	if g.flags&(gtidPreparedXA|gtidCompletedXA) != 0 {
		c.skip(4)
		c.skip(int(c.uint8()) + int(c.uint8()))
	}
	if c.err == nil && !c.done() {
		g.extra = c.uint8()
	}
	if c.err == nil && (g.gtid.GNO <= 0 || g.gtid.Server == 0) {
		return mariadbGTID{}, fmt.Errorf("transaction number %d of server %d is out of range", g.gtid.GNO, g.gtid.Server)
	}
	return g, c.err
}

// announceMariaDB opens a transaction.
func (a *assembler) announceMariaDB(ev *event) error {
	if a.phase != between {
		return malformed(errors.New("a transaction begins inside another"))
	}
	g, err := parseMariaDBGTID(ev)
	if err != nil {
		return malformed(err)
	}
	a.reset(ev)
	a.phase, a.gtid = open, g.gtid
	if g.flags&(gtidStandalone|gtidCompletedXA) != 0 {
		a.phase = announced
	}
	a.xa = g.flags&gtidPreparedXA != 0
	// What is applied of an ALTER in two phases is its second half, where the source's rows begin to have the new form.
	a.idle = g.extra&(gtidStartAlter|gtidRollbackAlter) != 0
	if !a.byPosition && a.seen.Has(g.gtid) {
		return outOfOrder(g.gtid)
	}
	if a.passing = a.applied.Has(g.gtid) && !slices.Contains(a.reread, g.gtid); a.passing {
		return nil
	}
	if unknown := g.extra &^ gtidExtraKnown; unknown != 0 {
		return halt("BS-EVENT-UNSUPPORTED", fmt.Sprintf("a GTID event of MariaDB has flags %#x in its second byte, which are not known", unknown),
			"a newer binseal may know them; look at the transaction with mysqlbinlog, make its changes on the target by hand and skip it (binseal position skip)")
	}
	return nil
}

// passApplied takes an event of a transaction that is on the target, and that comes again only for the sake of an XA
// transaction before it. Nothing of it is looked at: it may be one that was skipped because it cannot be read.
func (a *assembler) passApplied(ev *event) error {
	over := false
	switch ev.typ {
	case typeXID, typeXAPrepare:
		over = true
	case typeQueryCompressed: // A COMMIT never is.
		over = a.phase == announced
	case typeQuery:
		q, err := parseQuery(ev.body)
		if err != nil {
			return malformed(err)
		}
		v, _ := classify(q.sql)
		over = a.phase == announced || v == verbCommit || v == verbRollback
	case typeRotate, typeStop, typeFormatDescription:
		a.passing = false
		return a.boundary(ev)
	}
	if over {
		a.passing, a.phase = false, between
		a.tables.forget() // It may have changed what a table is.
		a.passed(a.gtid)
	}
	return nil
}

// outOfOrder refuses what a position of MariaDB cannot tell: it stands for all numbers of a domain up to its own.
func outOfOrder(g change.GTID) error {
	return halt("BS-GTID-ORDER", fmt.Sprintf("transaction %s comes behind one of domain %d with the same or a greater number", g, g.Domain),
		"go on at file and position (binseal position set --at, with this place); give each server that writes by itself a gtid_domain_id of its own and set gtid_strict_mode=1")
}

// utf8mb4GeneralCI is the collation's id.
const utf8mb4GeneralCI = 45

// fromMariaDB rewrites a statement into what MySQL executes as MariaDB did.
func (a *assembler) fromMariaDB(st *change.Statement) error {
	sql, err := schema.FromMariaDB(st, a.mariadb)
	if err != nil {
		return err
	}
	st.SQL, st.MariaDB = sql, true
	st.Session.DefaultCollationUTF8MB4 = utf8mb4GeneralCI // What MariaDB means by utf8mb4 without a collation.
	return nil
}

// oldestMariaDB is the release from which on logs are read: older ones are at their end of life, and nobody has tried.
const oldestMariaDB = 100500

// mariadbRelease is the number that versioned comments compare with: 101118 for 10.11.18; 0 for a source of MySQL.
func mariadbRelease(info SourceInfo) int {
	var major, minor, patch int
	if !info.MariaDB {
		return 0
	}
	if _, err := fmt.Sscanf(info.Version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return 1 // Too old, whatever it is: Identify refuses it.
	}
	return major*10000 + minor*100 + patch
}

// inflater takes compressed events apart. Not safe for concurrent use.
type inflater struct {
	maxEvent int // Largest event, uncompressed, in bytes.
}

// inflate gives the event as it would be without compression.
// Layout: MariaDB, log_event.cc, query_event_uncompress and row_log_event_uncompress: a QUERY event whose statement, or
// a ROWS event whose rows, are a record: a byte with the highest bit set, the algorithm in the next three (0 is zlib)
// and in the lowest three the length of the uncompressed size, then that size, big-endian, and the compressed bytes.
func (in *inflater) inflate(packed *event) (*event, error) {
	ev := new(event)
	*ev = *packed
	head, err := in.head(ev)
	if err != nil {
		return nil, err
	}
	c := cursor{rest: ev.body[head:]}
	first := c.uint8()
	if c.err == nil && (first&0x80 == 0 || first&0x70 != 0) {
		return nil, fmt.Errorf("compression %#x is not known", first)
	}
	size := 0
	for _, b := range c.bytes(int(first & 7)) {
		size = size<<8 | int(b)
	}
	if c.err != nil || first&7 == 0 || first&7 > 4 {
		return nil, errShort
	}
	if headerSize+head+size > eventLimit(ev.typ, in.maxEvent) {
		return nil, errEventTooLarge // Invariant 7.
	}
	r, err := zlib.NewReader(bytes.NewReader(c.rest))
	if err != nil {
		return nil, err
	}
	body, err := readBody(io.MultiReader(bytes.NewReader(ev.body[:head]), r), head+size)
	if err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF { // The checksum is compared at the end.
		return nil, errors.New("compressed data go on behind their size, or are damaged")
	}
	ev.body, ev.held, ev.lent = body, cap(body), false
	return ev, nil
}

// head is the length of what is not compressed; it gives ev the type that it has without compression.
func (in *inflater) head(ev *event) (int, error) {
	switch {
	case ev.typ == typeQueryCompressed:
		ev.typ = typeQuery
		q, err := parseQuery(ev.body)
		return len(ev.body) - len(q.sql), err
	case ev.typ <= typeDeleteRowsCompressedV1:
		ev.typ -= typeWriteRowsCompressedV1 - typeWriteRowsV1
	default:
		ev.typ -= typeWriteRowsCompressed - typeWriteRows
	}
	e, err := rowimage.ParseRowsHeader(ev.typ, ev.body)
	return len(ev.body) - len(e.Data), err
}
