package applier

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// expectation is what the server's answer to one statement must be.
type expectation struct {
	count int64 // Matched rows; anyCount when the count proves nothing.
	verb  string
	table *schema.Table // nil for statements that are not about a user's table.
}

const anyCount = -1

// where names the table for messages.
func (x expectation) where() string {
	if x.table == nil {
		return "the progress table"
	}
	return x.table.String()
}

// markVerb names the expectation of a mark.
const markVerb = "mark"

// mismatch is a statement whose matched rows are not what the plan expects: a missing row, or one too many.
type mismatch struct {
	expectation
	got int64
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("%s matched %d rows of %s, expected %d", m.verb, m.got, m.where(), m.count)
}

// sender takes a packet of statements and gives the matched rows of each, or lines for LOAD DATA: a session.
type sender interface {
	exec(ctx context.Context, sql string) ([]int64, error)
	load(ctx context.Context, into string, lines io.Reader) (loaded, warnings int64, err error)
}

// writer turns steps into SQL and sends it in packets: several statements in one round trip, none of them COMMIT. While
// the server executes a packet the next one is written, so that neither waits for the other; at most one is under way.
//
// A statement is open between begin and end. Its rows are appended to buf directly from the images; nothing is
// boxed. buf holds, in this order, finished statements of the packet and the open one. The caller of any method waits
// before it gives the writer up, so that nothing of it is under way afterwards.
type writer struct {
	ctx     context.Context
	session sender
	limit   int  // Largest packet the target takes, in bytes; the bounds of a packet and of a statement stay below it.
	joins   bool // The target knows VALUES as a table: see updates.
	loads   bool // Many inserts go by LOAD DATA: see load.

	buf     []byte
	expects []expectation
	start   int // Of the open statement in buf.

	sent       []expectation // Of the packet under way; they belong to it until its answer is in.
	answer     chan answer   // Of the packet under way; nil when there is none.
	statements int
}

// answer is what the server says to a packet.
type answer struct {
	counts []int64
	err    error
}

// begin opens a statement.
func (w *writer) begin(text ...string) {
	if len(w.buf) > 0 {
		w.buf = append(w.buf, ';')
	}
	w.start = len(w.buf)
	for _, s := range text {
		w.buf = append(w.buf, s...)
	}
}

// room makes place for a large row at once: growing step by step would hold two buffers of its size.
func (w *writer) room(image []byte) {
	if len(image) > packetBytes {
		w.buf = slices.Grow(w.buf, len(image)+len(image)/8) // Few bytes of a value need an escape.
	}
}

// end closes the open statement, and sends the packet when it is large enough.
func (w *writer) end(x expectation) error {
	w.statements++
	if size := len(w.buf) - w.start; size > w.limit {
		return &change.Fault{Code: "BS-TOO-LARGE", Class: change.ClassPerson, Where: x.where(),
			What: fmt.Sprintf("a row needs a statement of %d bytes and the target's max_allowed_packet allows %d", size, w.limit),
			Next: "raise max_allowed_packet on the target (at most 1 GiB), then start again"}
	}
	packet := min(packetBytes, w.limit)
	if len(w.buf) > packet && w.start > 0 { // What was there before goes first, so that a packet stays below the limit.
		if err := w.send(string(w.buf[:w.start-1])); err != nil { // Without the separator.
			return err
		}
		w.buf, w.start = w.buf[:copy(w.buf, w.buf[w.start:])], 0 // In place: the open statement may be large.
	}
	w.expects = append(w.expects, x)
	if len(w.buf) >= packet {
		return w.sendAll()
	}
	return nil
}

// plain adds a whole statement whose count is checked against want.
func (w *writer) plain(sql string, x expectation) error {
	w.begin(sql)
	return w.end(x)
}

// flush sends what is in buf and waits until every statement has been answered as it must.
func (w *writer) flush() error {
	if err := w.sendAll(); err != nil {
		return err
	}
	return w.wait()
}

// sendAll sends what is in buf.
func (w *writer) sendAll() error {
	if len(w.expects) == 0 {
		return nil
	}
	packet := string(w.buf)
	w.buf, w.start = w.buf[:0], 0
	if cap(w.buf) > 4*packetBytes {
		w.buf = nil // A single huge row should not be in memory twice.
	}
	return w.send(packet)
}

// send sends the statements that have ended, once the packet before has been answered as it must: nothing follows a mark
// that did not match, or a divergence.
func (w *writer) send(packet string) error {
	err := w.ask(func() ([]int64, error) { return w.session.exec(w.ctx, packet) })
	if err == nil && len(packet) > packetBytes {
		return w.wait() // A single huge row: the next one should not be in memory beside it.
	}
	return err
}

// ask begins a round trip with the statements that have ended, once the one before has been answered as it must.
func (w *writer) ask(trip func() (counts []int64, err error)) error {
	if err := w.wait(); err != nil {
		return err
	}
	w.sent, w.expects = w.expects, w.sent[:0]
	w.answer = make(chan answer, 1) // Room for the one answer, so that the goroutine ends with the round trip.
	go func(to chan<- answer) {
		counts, err := trip()
		to <- answer{counts, err}
	}(w.answer)
	return nil
}

// wait waits for the answer to the packet under way, if any, and checks the count of each statement (DESIGN.md §3:
// divergence stops the stream). It comes at the latest when the context ends: that closes the connection.
func (w *writer) wait() error {
	if w.answer == nil {
		return nil
	}
	got := <-w.answer
	w.answer = nil
	if got.err != nil {
		return got.err
	}
	if len(got.counts) != len(w.sent) {
		return fmt.Errorf("the target answered %d of %d statements", len(got.counts), len(w.sent))
	}
	for i, x := range w.sent {
		if x.count != anyCount && got.counts[i] != x.count {
			return &mismatch{expectation: x, got: got.counts[i]}
		}
	}
	return nil
}

// write turns a step into statements.
func (w *writer) write(s *step) error {
	switch s.verb {
	case deleteRows, deleteTouched:
		return w.deletes(s)
	case updateRows:
		return w.updates(s)
	case insertRows:
		return w.inserts(s)
	default:
		return w.inOrder(s.ordered)
	}
}

// list writes rows into statements of the form head row, row, … tail, each within the bounds.
func (w *writer) list(rows []*netChange, head, tail string, x expectation, row func(dst []byte, c *netChange) ([]byte, error)) error {
	n := 0
	shut := func() error {
		w.buf = append(w.buf, tail...)
		if x.count != anyCount {
			x.count = int64(n)
		}
		n = 0
		return w.end(x)
	}
	for _, c := range rows {
		if n == 0 {
			w.begin(head)
		} else {
			w.buf = append(w.buf, ',')
		}
		at := len(w.buf)
		w.room(c.after)
		var err error
		if w.buf, err = row(w.buf, c); err != nil {
			return err
		}
		if n > 0 && len(w.buf)-w.start+len(tail) > min(maxSQLBytes, w.limit) { // This row opens a statement of its own.
			own := append([]byte(nil), w.buf[at:]...)
			w.buf = w.buf[:at-1]
			if err := shut(); err != nil {
				return err
			}
			w.begin(head)
			w.buf = append(w.buf, own...)
		}
		if n++; n == maxRowsPerSQL {
			if err := shut(); err != nil {
				return err
			}
		}
	}
	if n > 0 {
		return shut()
	}
	return nil
}

func (w *writer) deletes(s *step) error {
	l := s.table.layout
	t := l.Table()
	x := expectation{verb: s.verb.String(), table: t}
	if s.verb == deleteTouched {
		x.count = anyCount
	}
	head := "DELETE " + byIdentity(t) + "/* binseal applier */ FROM " + t.QuotedName() + " WHERE "
	listed, single, err := apart(s.rows, func(c *netChange) (bool, error) { return l.IdentityByNumber(c.held()) })
	if err != nil {
		return err
	}
	if err := w.listed(l, listed, head, x); err != nil || len(single) == 0 {
		return err
	}
	if x.count != anyCount {
		x.count = 1
	}
	for _, c := range single {
		w.begin(head)
		if w.buf, err = l.AppendIdentityMatch(w.buf, c.held()); err != nil {
			return err
		}
		if err := w.end(x); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) inserts(s *step) error {
	l := s.table.layout
	t := l.Table()
	x := expectation{verb: s.verb.String(), table: t}
	strict, zeros, err := apart(s.rows, func(c *netChange) (bool, error) { return l.HasEnumZero(c.after, nil) })
	if err != nil {
		return err
	}
	if w.loads && l.Loads() && len(strict) >= loadFrom {
		if strict, err = w.load(l, strict); err != nil {
			return err
		}
	}
	if err := w.list(strict, insertHead(l), "", x, func(dst []byte, c *netChange) ([]byte, error) { return l.AppendTuple(dst, c.after) }); err != nil {
		return err
	}
	for _, c := range zeros {
		if err := w.insertEnumZero(l, wholeRow(c.after), x); err != nil {
			return err
		}
	}
	return w.proveAll(l, s.rows, t)
}

func insertHead(l *rowimage.Layout) string {
	return "INSERT /* binseal applier */ INTO " + l.Table().QuotedName() + " (" + l.InsertColumns() + ") VALUES "
}

// inOrder writes ordered rows one by one; only neighbouring inserts into one table share a statement.
func (w *writer) inOrder(rows []orderedRow) error {
	checks := false
	for i := 0; i < len(rows); {
		r := &rows[i]
		if r.checks != checks {
			checks = r.checks
			if err := w.foreignKeyChecks(checks); err != nil {
				return err
			}
		}
		n := 1
		if r.Op == change.Insert {
			for i+n < len(rows) && rows[i+n].Op == change.Insert && rows[i+n].layout == r.layout && rows[i+n].checks == checks && sameColumns(&rows[i+n], r) {
				n++
			}
		}
		if err := w.orderedRun(rows[i : i+n]); err != nil {
			return err
		}
		i += n
	}
	if checks {
		return w.foreignKeyChecks(false)
	}
	return nil
}

func (w *writer) foreignKeyChecks(on bool) error {
	v := "0"
	if on {
		v = "1"
	}
	return w.plain("SET foreign_key_checks="+v, expectation{count: anyCount, verb: "SET"})
}

// orderedRun writes one update or delete, or a run of inserts.
func (w *writer) orderedRun(rows []orderedRow) error {
	r := &rows[0]
	l := r.layout
	t := l.Table()
	x := expectation{count: 1, verb: r.Op.String(), table: t}
	var err error
	zero := false
	switch r.Op {
	case change.Insert:
		return w.orderedInserts(rows, x)
	case change.Delete:
		w.begin("DELETE /* binseal applier */ FROM ", t.QuotedName())
	case change.Update:
		if zero, err = w.beginUpdate(l, r.After, present(&r.Row)); err != nil {
			return err
		}
		var changed bool
		w.room(r.After)
		if r.Full {
			w.buf, changed, err = l.AppendSet(w.buf, r.Before, r.After)
		} else {
			w.buf, changed, err = l.AppendPartialSet(w.buf, &r.Row)
		}
		if err != nil {
			return err
		}
		if !changed {
			w.abandon()
			return w.prove(l, &r.Row, t)
		}
	}
	w.buf = append(w.buf, " WHERE "...)
	unique := t.Identity != nil
	switch {
	case !r.Full:
		w.buf, unique, err = l.AppendPartialMatch(w.buf, r.Before, r.PresentBefore)
	case unique:
		w.buf, err = l.AppendIdentityMatch(w.buf, r.Before)
	default:
		w.buf, err = l.AppendMatch(w.buf, r.Before)
	}
	if err != nil {
		return err
	}
	if !unique { // Of several identical rows any one will do, but only one.
		w.buf = append(w.buf, " LIMIT 1"...)
	}
	if err = w.end(x); err != nil || r.Op == change.Delete {
		return err
	}
	if zero {
		if err = w.again(l, &r.Row, t); err != nil {
			return err
		}
	}
	if err = w.diffsDone(l, &r.Row, t); err != nil {
		return err
	}
	return w.prove(l, &r.Row, t)
}

// orderedInserts writes a run of inserts whose images have the same columns; one with index 0 of an ENUM parts it.
func (w *writer) orderedInserts(rows []orderedRow, x expectation) error {
	from := 0
	for i := range rows {
		r := &rows[i]
		zero, err := r.layout.HasEnumZero(r.After, present(&r.Row))
		if err != nil {
			return err
		}
		if !zero {
			continue
		}
		if err := w.insertRun(rows[from:i], x); err != nil {
			return err
		}
		if err := w.insertEnumZero(r.layout, &r.Row, x); err != nil {
			return err
		}
		from = i + 1
	}
	if err := w.insertRun(rows[from:], x); err != nil {
		return err
	}
	for i := range rows {
		if err := w.prove(rows[i].layout, &rows[i].Row, x.table); err != nil {
			return err
		}
	}
	return nil
}

// insertRun writes inserts in as few statements as their size allows.
func (w *writer) insertRun(rows []orderedRow, x expectation) error {
	if len(rows) == 0 {
		return nil
	}
	r := &rows[0]
	l := r.layout
	images := make([]*netChange, len(rows))
	for i := range rows {
		images[i] = &netChange{after: rows[i].After}
	}
	if r.Full {
		return w.list(images, insertHead(l), "", x, func(dst []byte, c *netChange) ([]byte, error) { return l.AppendTuple(dst, c.after) })
	}
	columns, err := l.PartialInsertColumns(r.PresentAfter)
	if err != nil {
		return err
	}
	head := "INSERT /* binseal applier */ INTO " + l.Table().QuotedName() + " (" + columns + ") VALUES "
	return w.list(images, head, "", x, func(dst []byte, c *netChange) ([]byte, error) {
		return l.AppendPartialTuple(dst, c.after, r.PresentAfter)
	})
}

// sameColumns reports that the after-images of two inserts hold the same columns.
func sameColumns(a, b *orderedRow) bool {
	return a.Full && b.Full || bytes.Equal(a.PresentAfter, b.PresentAfter)
}
