package replicator

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/binseal/binseal/change"
)

// Bounds of the XA transactions that are held because they are not decided (invariant 7).
const (
	maxHeldBytes = 64 << 20 // Memory of their rows, the open one included.
	maxHeldCount = 4096     // Their GTIDs are in every record.
)

// xid names an XA transaction. Source: sql/xa.h, XID.
type xid struct {
	format       uint32 // formatID
	gtrid, bqual string
}

// heldXA is an XA transaction between XA PREPARE and its decision.
type heldXA struct {
	id     xid
	gtid   change.GTID // Of the XA PREPARE.
	start  change.Position
	behind string // Position by GTID just before it, of MariaDB.
	rows   []change.Row
	bytes  int
}

// heldSet are the XA transactions that are prepared and not decided. The log has their rows at XA PREPARE and the
// outcome any number of transactions later, under a GTID of its own, or never:
//
//	GTID 7, XA START 'x', rows, XA END 'x', XA_PREPARE    held: nothing is yielded, 7 stays out of the checkpoint
//	GTID 8, BEGIN, rows, XID                              yielded: checkpoint 1-6, 8
//	GTID 9, XA COMMIT 'x'                                 yielded with the rows of 7: checkpoint 1-9
//
// Nothing is lost by a restart before GTID 9: the source sends 7 again, since the checkpoint does not have it. By
// position the checkpoint remembers where 7 begins, and the log is read again from there. So it is by GTID on MariaDB,
// whose position cannot leave 7 out: it has 7 and 8 in any case, and names the place before 7 beside it.
type heldSet struct {
	order []*heldXA // In the log's order.
	bytes int
}

func (s *heldSet) add(x *heldXA) {
	s.order = append(s.order, x)
	s.bytes += x.bytes
}

// remove takes a transaction out; nil when it is not held.
func (s *heldSet) remove(id xid) *heldXA {
	i := slices.IndexFunc(s.order, func(x *heldXA) bool { return x.id == id })
	if i < 0 {
		return nil
	}
	x := s.order[i]
	s.order = slices.Delete(s.order, i, i+1)
	s.bytes -= x.bytes
	return x
}

// describe makes a.undecided anew: what is held, and what the checkpoint knows as undecided and has not come again yet,
// as on another server of the same history, which may have written its log in another order.
func (a *assembler) describe() {
	a.undecided = change.Undecided{}
	gtids := slices.Clone(a.reread)
	for _, x := range a.held.order {
		if !x.gtid.IsZero() {
			gtids = append(gtids, x.gtid)
		}
	}
	count := len(a.held.order) + len(a.reread)
	if count == 0 {
		return
	}
	a.undecided = change.Undecided{Since: a.since, Behind: a.sinceGTIDs, Count: count, GTIDs: change.ListGTIDs(gtids)}
	if len(a.reread) == 0 {
		a.undecided.Since, a.undecided.Behind = a.held.order[0].start, a.held.order[0].behind
	}
	for _, s := range a.skipped {
		if s.From.Compare(a.undecided.Since) >= 0 {
			a.undecided.Skipped = append(a.undecided.Skipped, s)
		}
	}
}

// passesOver reports that ev is part of a transaction that a person skipped while XA transactions were undecided, so
// that it comes again: what could not be read then cannot be read now, and an XA PREPARE that was skipped is not held.
func (a *assembler) passesOver(ev *event) bool {
	return a.phase == between && slices.ContainsFunc(a.skipped, func(s change.Span) bool { return s.Holds(ev.start) })
}

// xaStatement takes a QUERY event of XA.
func (a *assembler) xaStatement(ev *event, sql []byte) error {
	v, id, err := parseXA(sql)
	if err != nil {
		return malformed(err)
	}
	switch {
	case v == "START":
		err := a.begin(ev)
		a.xa = err == nil
		return err
	case v == "END" && a.phase == open && a.xa:
		return nil
	case (v == "COMMIT" || v == "ROLLBACK") && a.phase != open:
		return a.decide(ev, id, v == "COMMIT")
	}
	return xaForm()
}

// prepare ends the body of an XA transaction: it is held, or with XA COMMIT … ONE PHASE yielded at once.
func (a *assembler) prepare(ev *event) error {
	if a.phase != open || !a.xa {
		return xaForm()
	}
	onePhase, id, err := parseXAPrepare(ev.body)
	if err != nil {
		return malformed(err)
	}
	if onePhase {
		return a.release(ev, a.rows, change.GTID{})
	}
	gtid, again := a.gtid, slices.Contains(a.reread, a.gtid)
	if err := a.hold(id); err != nil {
		return err
	}
	a.rows, a.bytes = nil, 0
	if !gtid.IsMariaDB() {
		a.gtid = change.GTID{} // It stays out of the set.
	}
	txn := a.take(ev, true)
	a.phase = between
	a.tables.endStatement()
	a.passed(gtid)
	if again {
		return nil // The checkpoint knows of it and is further on in the log.
	}
	return a.emit(ev, txn)
}

// hold keeps the rows of the open transaction until it is decided.
func (a *assembler) hold(id xid) error {
	if slices.ContainsFunc(a.held.order, func(x *heldXA) bool { return x.id == id }) {
		return halt("BS-XA-UNKNOWN", "an XA transaction is prepared under the name of one whose outcome is not in the log",
			"compare the tables that the earlier one changed, which the source decided without logging it (sql_log_bin=0, or a crash); then skip that one's GTID (checkpoint.undecided in /status) by binseal position skip")
	}
	if len(a.held.order) >= maxHeldCount {
		return xaTooLarge()
	}
	a.held.add(&heldXA{id: id, gtid: a.gtid, start: a.start, behind: a.seen.String(), rows: a.rows, bytes: a.bytes})
	if i := slices.Index(a.reread, a.gtid); i >= 0 {
		a.reread = slices.Delete(a.reread, i, i+1)
	}
	a.describe()
	return nil
}

// decide yields a prepared XA transaction with its rows at XA COMMIT, without them at XA ROLLBACK.
func (a *assembler) decide(ev *event, id xid, commit bool) error {
	if a.phase == between {
		if err := a.nameless(); err != nil {
			return err
		}
		a.reset(ev)
	}
	x := a.held.remove(id)
	switch {
	case x == nil && commit && !a.replaying(ev):
		return halt("BS-XA-UNKNOWN", "an XA transaction is committed that was prepared before the place where the stream began, so its rows were not read",
			"make its changes on the target by hand and skip it (binseal position skip), or load the target again")
	case x == nil: // Rolled back: there is nothing of it on the target.
		x = &heldXA{}
	case !commit:
		x.rows = nil
	}
	a.describe()
	return a.release(ev, x.rows, x.gtid)
}

// release yields rows that were held, in parts where they are more than one part may have.
func (a *assembler) release(ev *event, rows []change.Row, prepared change.GTID) error {
	for {
		n, size := 0, 0
		for n < min(len(rows), maxPartRows) && size <= a.maxPart {
			size += rows[n].Size() + rowOverhead
			n++
		}
		a.rows, a.bytes, rows = rows[:n:n], size, rows[n:]
		txn := a.take(ev, len(rows) == 0)
		txn.Prepared = prepared
		if txn.Last {
			return a.finish(ev, txn)
		}
		a.part++
		if err := a.emit(ev, txn); err != nil {
			return err
		}
	}
}

// replaying reports that ev lies in the part of the log that is read again, by position, only for the sake of undecided
// XA transactions: the target has all else of it.
func (a *assembler) replaying(ev *event) bool {
	return !a.replay.IsZero() && ev.end.Compare(a.replay) <= 0
}

// parseXA reads a statement of XA. The server writes it itself (sql/xa.cc, XID::serialize): XA COMMIT
// X'67747269',X'6271',1 with gtrid, bqual and formatID.
func parseXA(sql []byte) (verb string, id xid, err error) {
	_, rest := word(sql)
	verb, rest = word(rest)
	parts := strings.Split(strings.TrimSpace(string(rest)), ",")
	if len(parts) != 3 {
		return "", xid{}, errXID
	}
	format, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return "", xid{}, errXID
	}
	id.format = uint32(format)
	for i, to := range []*string{&id.gtrid, &id.bqual} {
		digits, ok := strings.CutPrefix(parts[i], "X'")
		digits, closed := strings.CutSuffix(digits, "'")
		b, err := hex.DecodeString(digits)
		if err != nil || !ok || !closed {
			return "", xid{}, errXID
		}
		*to = string(b)
	}
	return verb, id, nil
}

var errXID = errors.New("the name of an XA transaction is not in the server's form")

// parseXAPrepare decodes XA_PREPARE_LOG.
// Layout: control_events.h, XA_prepare_event: one_phase 1, formatID 4, length of gtrid 4, of bqual 4, both.
func parseXAPrepare(body []byte) (onePhase bool, id xid, err error) {
	c := cursor{rest: body}
	onePhase = c.uint8() != 0
	id.format = c.uint32()
	gtrid, bqual := c.uint32(), c.uint32()
	const longest = 64 // MAXGTRIDSIZE and MAXBQUALSIZE.
	if gtrid > longest || bqual > longest {
		return false, xid{}, errXID
	}
	id.gtrid = string(bytes.Clone(c.bytes(int(gtrid))))
	id.bqual = string(bytes.Clone(c.bytes(int(bqual))))
	return onePhase, id, c.err
}

// xaForm refuses XA in another form than MySQL's since 5.7.
func xaForm() error {
	return halt("BS-XA-UNSUPPORTED", "the log has an XA transaction in a form that is not known",
		"let the application use plain transactions, then copy the data anew, or skip the transaction (binseal position skip)")
}

// xaTooLarge refuses more than may be held. To decide the others does not help: that stands behind this one in the log.
func xaTooLarge() error {
	return halt("BS-XA-TOO-LARGE", "the XA transactions that are prepared and not decided hold more rows than the bound on them",
		"skip this one (binseal position skip); at its XA COMMIT the stream halts again: make its changes on the target by hand then, and skip that too. Decide on the source what XA RECOVER lists, or the next one halts likewise")
}
