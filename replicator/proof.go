package replicator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"time"

	"github.com/binseal/binseal/change"
)

// rowDigest sums up the rows of a transaction as any replica of its history logs them again: without table ids,
// which each server counts for itself, and without a trace of how the rows were cut into events, which is up to each
// server's binlog_row_event_max_size. Timed, it covers the second at which each statement began as well: replicas of
// MariaDB keep that of row events (not of the events around them). The zero value is ready.
type rowDigest struct {
	hash  hash.Hash
	timed bool
	began uint32 // Of the statement before; events of one statement have the same time, however many they are.
	off   bool   // Rows were taken back that another server may never have logged.
}

// add takes a rows event. Layout: rows_event.h, Rows_event: table id 6, flags 2, in version 2 a length of further
// fields, number of columns, a bitmap of them for each image, rows.
func (d *rowDigest) add(ev *event) error {
	c := cursor{rest: ev.body}
	if c.uint(6) == dummyTable {
		return nil
	}
	c.skip(2)
	if ev.typ >= typeWriteRows {
		c.skip(int(c.uint16()) - 2) // The length counts itself.
	}
	bitmap := int(min(c.packed(), 1<<16)+7) / 8
	c.skip(bitmap)
	if ev.typ == typeUpdateRowsV1 || ev.typ == typeUpdateRows || ev.typ == typePartialUpdateRows {
		c.skip(bitmap)
	}
	if c.err != nil {
		return malformed(c.err)
	}
	if d.timed && (d.hash == nil || d.began != ev.timestamp) {
		d.began = ev.timestamp
		d.write(binary.LittleEndian.AppendUint32(nil, ev.timestamp))
	}
	d.write(c.rest)
	return nil
}

func (d *rowDigest) write(b []byte) {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	d.hash.Write(b)
}

// sum is the digest; "" without rows.
func (d *rowDigest) sum() string {
	if d.hash == nil || d.off {
		return ""
	}
	return hex.EncodeToString(d.hash.Sum(nil))
}

// Admit decides whether the source can go on at a checkpoint, before a run. It gives the checkpoint as this source
// knows it: when another server of the same history has taken the place of the one before, with that server's
// identity and without a position, which means nothing in another server's log.
//
// Invariant 10: a saved position is used only on the source that it came from. By file and position that is one
// server. By GTID it is one history: the source is asked for the very transaction that was applied last, and must show
// the evidence that the checkpoint holds. That also finds a server that was restored to an older state and has
// written another history since, behind the same server_uuid and the same GTIDs.
//
// MariaDB is asked by the transaction before it in its domain, which the evidence names, and by the server's own end of
// all other domains. Its identity, a hash of the machine, may change under one server too: then the proof tells.
//
// Errors are Run's.
func (r *Reader) Admit(ctx context.Context, from change.Checkpoint) (change.Checkpoint, error) {
	admitted, err := r.admit(ctx, from)
	if ctx.Err() != nil {
		return from, context.Cause(ctx)
	}
	return admitted, err
}

func (r *Reader) admit(ctx context.Context, from change.Checkpoint) (change.Checkpoint, error) {
	info, err := r.check(ctx, from)
	if err != nil || !from.ByGTID {
		return from, err
	}
	same, known := sameSource(from.Source, info.Source) == nil, from.Evidence
	if known.IsZero() || info.Purged.Has(known.GTID) {
		return from, at(unshown(same, from, info.Source), from.Pos, known.GTID)
	}
	found, err := r.lookUp(ctx, info, known)
	switch f := change.FaultOf(err); {
	case f != nil && f.Code == codePurged: // MariaDB does not tell before.
		return from, at(unshown(same, from, info.Source), from.Pos, known.GTID)
	case f != nil && f.Code == codeBehind:
		found = change.Evidence{} // Its log lacks what the transaction follows on.
	case err != nil:
		return from, err
	}
	if !known.Shows(found) {
		return from, at(otherHistory(from, info.Source), from.Pos, known.GTID)
	}
	if !same {
		from.Pos, from.Undecided.Since, from.Source = change.Position{}, change.Position{}, info.Source
	}
	return from, nil
}

// unshown: the log cannot show the transaction any more. A server that is the one that it was goes on.
func unshown(same bool, from change.Checkpoint, found change.Source) error {
	if same {
		return nil
	}
	return unproved(from, found)
}

// unproved: another server answers, and nothing can show that it has the same history.
func unproved(from change.Checkpoint, found change.Source) error {
	why := "its log no longer holds the last applied transaction, which would prove that it has the same history"
	if from.Evidence.IsZero() {
		why = "the checkpoint holds no evidence of a transaction by which it could prove that it has the same history"
	}
	return halt("BS-SOURCE-CHANGED", changed(from.Source, found)+", and "+why,
		"connect the former source and let the stream catch up, then switch again; without it, compare source and target, and go on at a GTID set that both share (binseal position set --loaded)")
}

// otherHistory: the GTID is there and stands for another transaction.
func otherHistory(from change.Checkpoint, found change.Source) error {
	what := "the source's history is another one than the checkpoint's: its last applied transaction is a different one there"
	if sameSource(from.Source, found) != nil {
		what = changed(from.Source, found) + ", whose history is another one: the last applied transaction is a different one there"
	}
	return halt("BS-SOURCE-CHANGED", what,
		"connect a server of the history that was applied; if there is none any more, copy the data anew and set its position (binseal position set --loaded)")
}

// lookLimit bounds the look at one transaction: the source searches its files for it, and where the digest of its rows
// is needed, the whole of it is read.
const lookLimit = 10 * time.Minute

// lookUp asks the source for one transaction that it has in its log, and gives its evidence of the same kind as known
// is. The dump is asked to leave out all that the source has executed but this one, so whatever else comes lies
// behind it, on any server, in whatever order it holds the transactions. On MariaDB that leaves in what follows on it in
// its domain; a source whose log has something else there has another history, and nothing is found.
func (r *Reader) lookUp(ctx context.Context, info SourceInfo, known change.Evidence) (change.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	but := info.Executed.Without(known.GTID)
	if info.MariaDB {
		but = info.Executed.EndingAt(known.GTID.Domain, known.Behind)
	}
	from := change.Checkpoint{ByGTID: true, GTIDs: but.String()}
	l, err := r.dial(ctx, info, from)
	if err != nil {
		return change.Evidence{}, err
	}
	defer l.close()
	l.socket.waitFor(seekPatience)
	frames := framer{byGTID: true}
	if err := flavourOf(info.MariaDB).look(l, r.cfg.ServerID, from, but, &frames); err != nil {
		return change.Evidence{}, l.failed("ask for the last applied transaction", err)
	}
	look := &glance{known: known, payload: payloadReader{maxEvent: r.cfg.MaxRowBytes}, inflater: inflater{maxEvent: r.cfg.MaxRowBytes}}
	defer look.payload.close()
	for {
		raw, _, err := l.read()
		if err != nil {
			return change.Evidence{}, r.ended(l, &frames, known.GTID, err)
		}
		if info.MariaDB && len(raw) >= headerSize && raw[4] == typeHeartbeat {
			return change.Evidence{}, nil // Sent at the end of the log only: nothing has come.
		}
		ev, deliver, err := frames.next(raw)
		if err != nil {
			return change.Evidence{}, at(err, ev.start, known.GTID)
		}
		if !deliver {
			continue
		}
		if err := look.add(ev); err != nil || look.done {
			return look.found, at(err, ev.start, known.GTID)
		}
	}
}

// glance takes the evidence of the first transaction that comes.
type glance struct {
	known    change.Evidence
	found    change.Evidence
	open     bool // Behind BEGIN.
	done     bool
	digest   rowDigest
	payload  payloadReader
	inflater inflater
}

func (g *glance) add(ev *event) error {
	switch ev.typ {
	case typeGTID, typeTaggedGTID, typeAnonymousGTID:
		return g.announced(ev)
	case typeMariaDBGTID:
		return g.announcedMariaDB(ev)
	case typePayload:
		return g.payload.each(ev, g.add)
	case typeQueryCompressed, typeWriteRowsCompressedV1, typeUpdateRowsCompressedV1, typeDeleteRowsCompressedV1,
		typeWriteRowsCompressed, typeUpdateRowsCompressed, typeDeleteRowsCompressed:
		plain, err := g.inflater.inflate(ev)
		if err != nil {
			return malformed(err)
		}
		return g.add(plain)
	case typeWriteRowsV1, typeUpdateRowsV1, typeDeleteRowsV1, typeWriteRows, typeUpdateRows, typeDeleteRows, typePartialUpdateRows:
		return g.digest.add(ev)
	case typeQuery:
		q, err := parseQuery(ev.body)
		if err != nil {
			return malformed(err)
		}
		v, _ := classify(q.sql)
		g.done = v == verbCommit || v == verbRollback || v == verbOther && !g.open
		g.open = true
	case typeXID, typeXAPrepare:
		g.done = true
	}
	if g.done {
		g.found.Digest = g.digest.sum()
	}
	return nil
}

// announced takes the GTID event, which is enough where the evidence is a time.
func (g *glance) announced(ev *event) error {
	e, err := parseGTIDEvent(ev)
	if err != nil {
		return malformed(err)
	}
	if e.gtid != g.known.GTID {
		return lost(errors.New("the source was asked for one transaction and sent another"))
	}
	g.found = change.Evidence{GTID: e.gtid, Original: e.original}
	g.done = !g.known.Original.IsZero()
	return nil
}

// announcedMariaDB takes the GTID event. Where another transaction follows on the one before, nothing is found.
func (g *glance) announcedMariaDB(ev *event) error {
	e, err := parseMariaDBGTID(ev)
	if err != nil {
		return malformed(err)
	}
	if g.done = e.gtid != g.known.GTID; g.done {
		return nil
	}
	g.found.GTID, g.digest.timed = e.gtid, true
	g.open = e.flags&(gtidStandalone|gtidCompletedXA) == 0
	return nil
}
