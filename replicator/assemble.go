package replicator

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unsafe"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// phase is where the assembler stands between two events.
type phase uint8

const (
	between   phase = iota // No transaction is open.
	announced              // A GTID event has come; BEGIN, a DDL statement or a payload follows.
	open                   // Behind BEGIN.
)

// assembler makes change.Txn out of events:
//
//	GTID, QUERY BEGIN, (TABLE_MAP…, ROWS…)…, XID or QUERY COMMIT    a transaction of row changes
//	GTID, QUERY                                                       DDL
//	GTID, QUERY BEGIN, QUERY CREATE TABLE, (TABLE_MAP…, ROWS…)…, XID   CREATE TABLE … SELECT; before 8.0.21 only without a GTID
//	GTID, TRANSACTION_PAYLOAD [QUERY BEGIN … XID]                     the same, compressed
//	GTID, QUERY XA START, (TABLE_MAP…, ROWS…)…, QUERY XA END, XA_PREPARE   held until it is decided: see heldSet
//	GTID, QUERY XA COMMIT or XA ROLLBACK                                   the decision
//
// MariaDB's GTID event begins the transaction too, or stands before DDL alone; see mariadb.go. Without GTIDs the source
// writes ANONYMOUS_GTID, or before MySQL 5.7 nothing. A transaction without changes of included tables is yielded too,
// since its GTID must reach the checkpoint. Not safe for concurrent use.
type assembler struct {
	filter  *schema.Filter
	logger  *slog.Logger
	yield   func(*change.Txn) error
	admit   func(change.GTID) error // Called with each GTID event of MySQL: refuses one that was applied before.
	done    func(change.GTID)       // Called behind each whole transaction.
	maxPart int                     // Bytes of rows above which a part is yielded.
	maxHeld int                     // Bytes of rows of XA transactions, the open one included.
	// byPosition: the checkpoint is a place in the log, not a GTID set.
	byPosition bool
	// When the log is read from a place before the checkpoint, replay is the checkpoint's position, or, by GTID on
	// MariaDB, applied its set. reread are the XA PREPAREs that the checkpoint knows as undecided, the first of them at
	// since, behind sinceGTIDs, and that have not come again.
	replay     change.Position
	applied    change.GTIDSet
	reread     []change.GTID
	since      change.Position
	sinceGTIDs string
	skipped    []change.Span  // Transactions that are read again and were taken for applied: see passesOver.
	seen       change.GTIDSet // Of MariaDB, by GTID: all that lies before the open transaction, in the order of the log.
	held       heldSet
	undecided  change.Undecided // Describes held.
	payload    payloadReader
	tables     tableMaps
	inflater   inflater
	mariadb    int // Release of a MariaDB source, 101118 for 10.11.18; 0 of MySQL.

	phase     phase
	xa        bool // The open transaction is one of XA, up to XA PREPARE.
	gtid      change.GTID
	committed time.Time // immediate_commit_timestamp of the open transaction; zero when not carried.
	original  time.Time // original_commit_timestamp of it; zero when not carried.
	digest    rowDigest // Of its rows, where it has a GTID and no original time.
	idle      bool      // The statement that comes is not for replicas: a half of an ALTER in two phases.
	passing   bool      // The open transaction is on the target and is passed over.
	start     change.Position
	last      change.Position // End of the last event of the open transaction.
	partStart uint64          // LogBytes of the parts already yielded.
	part      int             // Parts already yielded.
	rows      []change.Row
	bytes     int
	marks     []savepoint

	memory memory // Of transactions, rows and images.
}

// savepoint remembers what was there when a SAVEPOINT was set.
type savepoint struct {
	name  string
	part  int
	rows  int
	bytes int
	kept  mark
}

// rowOverhead is the memory of one change.Row beside its images.
const rowOverhead = int(unsafe.Sizeof(change.Row{}))

// add takes the next event of the log. Its errors have their place.
func (a *assembler) add(ev *event) error {
	if a.passesOver(ev) {
		return nil
	}
	if a.phase != between && ev.start != a.last && ev.typ != typeFormatDescription {
		return at(lost(fmt.Errorf("a transaction was read up to %s and goes on there", a.last)), ev.start, a.gtid)
	}
	var err error
	if ev.typ == typePayload {
		err = a.addPayload(ev)
	} else {
		err = a.dispatch(ev)
	}
	if a.phase != between {
		a.last = ev.end
	}
	if err == nil {
		return nil
	}
	return at(err, ev.start, a.gtid)
}

// addPayload takes a compressed transaction apart.
func (a *assembler) addPayload(ev *event) error {
	if a.phase != announced {
		return malformed(errors.New("a compressed transaction without a GTID event before it"))
	}
	if err := a.payload.each(ev, a.dispatch); err != nil {
		return err
	}
	if a.phase != between {
		return malformed(errors.New("a compressed transaction without an end"))
	}
	return nil
}

// gtidNow is the GTID of the open transaction, for messages.
func (a *assembler) gtidNow() change.GTID {
	if a.phase == between {
		return change.GTID{}
	}
	return a.gtid
}

// dispatch gives an event to its handler. Whatever has none stops the stream (invariant 6).
func (a *assembler) dispatch(ev *event) error {
	if a.passing {
		return a.passApplied(ev)
	}
	switch ev.typ {
	case typeGTID, typeAnonymousGTID, typeTaggedGTID:
		return a.announce(ev)
	case typeMariaDBGTID:
		return a.announceMariaDB(ev)
	case typeQueryCompressed, typeWriteRowsCompressedV1, typeUpdateRowsCompressedV1, typeDeleteRowsCompressedV1,
		typeWriteRowsCompressed, typeUpdateRowsCompressed, typeDeleteRowsCompressed:
		plain, err := a.inflater.inflate(ev)
		if err != nil {
			return malformed(err)
		}
		return a.dispatch(plain)
	case typeQuery:
		return a.query(ev)
	case typeXID:
		if a.phase != open {
			return malformed(errors.New("an XID event outside a transaction"))
		}
		return a.commit(ev)
	case typeTableMap:
		if a.phase != open {
			return malformed(errors.New("a TABLE_MAP event outside a transaction"))
		}
		return a.tables.add(ev.body, a.filter)
	case typeWriteRowsV1, typeUpdateRowsV1, typeDeleteRowsV1, typeWriteRows, typeUpdateRows, typeDeleteRows, typePartialUpdateRows:
		return a.addRows(ev)
	case typeRotate, typeStop, typeFormatDescription:
		return a.boundary(ev)
	case typeXAPrepare:
		return a.prepare(ev)
	case typePreviousGTIDs, typeGTIDList, typeBinlogCheckpoint:
		return a.place(ev)
	case typeAnnotateRows, typeStartEncryption:
		return nil // The statement's text, and how its file was encrypted: it comes decrypted.
	case typeRowsQuery, typeViewChange, typeTransactionCtx, typeIgnorable:
		return nil // Nothing that changes rows: log bookkeeping, the statement's text, group replication's notes.
	}
	return refuse(ev)
}

// emit yields a part of a transaction that ends with ev, unless the target has it.
func (a *assembler) emit(ev *event, txn *change.Txn) error {
	if a.replaying(ev) {
		return nil
	}
	return a.yield(txn)
}

// place yields the place behind an event that an idle source writes by itself, at the begin of a file (MariaDB also a
// moment later, BINLOG_CHECKPOINT), when it is read by position: it has nothing else by which the checkpoint could reach
// its end, and could not purge the file before.
func (a *assembler) place(ev *event) error {
	if !a.byPosition || a.phase != between {
		return nil
	}
	return a.emit(ev, &change.Txn{First: true, Last: true, Start: ev.end, End: ev.end, Undecided: a.undecided})
}

// announce opens a transaction.
func (a *assembler) announce(ev *event) error {
	if a.phase != between {
		return malformed(errors.New("a transaction begins inside another"))
	}
	g, err := parseGTIDEvent(ev)
	if err != nil {
		return malformed(err)
	}
	if g.gtid.IsZero() {
		if err := a.nameless(); err != nil {
			return err
		}
	}
	a.reset(ev)
	a.phase, a.gtid, a.committed, a.original = announced, g.gtid, g.committed, g.original
	return a.admit(g.gtid)
}

// nameless refuses a transaction without a GTID where the checkpoint is a set of GTIDs: it would not get into the
// record, and would be applied again by the next run.
func (a *assembler) nameless() error {
	if a.byPosition {
		return nil
	}
	return withoutGTID()
}

// reset forgets the last transaction; ev is the first event of the next.
func (a *assembler) reset(ev *event) {
	a.gtid, a.committed, a.original, a.start, a.last = change.GTID{}, time.Time{}, time.Time{}, ev.start, ev.start
	a.digest = rowDigest{timed: a.mariadb != 0}
	a.part, a.partStart, a.rows, a.bytes, a.marks, a.xa = 0, 0, nil, 0, nil, false
	a.idle = false
	a.tables.endStatement()
}

// query takes a QUERY event: transaction control, or DDL.
func (a *assembler) query(ev *event) error {
	q, err := parseQuery(ev.body)
	if err != nil {
		return malformed(err)
	}
	v, name := classify(q.sql)
	switch v {
	case verbXA:
		return a.xaStatement(ev, q.sql)
	case verbDML:
		return statementFormat()
	case verbBegin:
		return a.begin(ev)
	}
	if a.phase != open {
		if v != verbOther {
			return malformed(errors.New("the end of a transaction that has no begin"))
		}
		return a.ddl(ev, q)
	}
	if v == verbOther {
		return a.insideTransaction(ev, q)
	}
	return a.control(ev, v, name)
}

// control takes a QUERY event inside a transaction.
func (a *assembler) control(ev *event, v verb, name string) error {
	switch v {
	case verbCommit:
		return a.commit(ev)
	case verbRollback:
		if a.part > 0 || len(a.rows) > 0 {
			return halt("BS-EVENT-UNSUPPORTED", "a transaction with row changes ends in ROLLBACK: it mixed tables of engines with and without transactions",
				"convert the source's tables to InnoDB, then copy the tables of this transaction anew")
		}
		return a.commit(ev)
	case verbSavepoint:
		a.dropMark(name)
		a.marks = append(a.marks, savepoint{name: name, part: a.part, rows: len(a.rows), bytes: a.bytes, kept: a.memory.mark()})
		return nil
	case verbRollbackTo:
		return a.rollbackTo(name)
	}
	return nil // RELEASE SAVEPOINT.
}

// insideTransaction takes a statement that defines a table between BEGIN and XID. CREATE TABLE … SELECT is yielded as
// a first part without rows; the end of a temporary table concerns no replica.
func (a *assembler) insideTransaction(ev *event, q queryEvent) error {
	if dropsTemporary(q.sql) {
		return nil
	}
	if !definesTable(q.sql) || a.part > 0 || len(a.rows) > 0 || q.errorCode != 0 {
		return halt("BS-DDL-UNSUPPORTED", "a statement that defines tables stands inside a transaction, and it is not a CREATE TABLE … SELECT",
			"create and fill its tables on the target by hand, then skip the transaction (binseal position skip)")
	}
	st, err := a.statement(ev, q)
	if err != nil {
		return err
	}
	if d, err := schema.ParseDDL(st); err == nil && !d.OpensTransaction { // What cannot be read is the applier's to refuse.
		st.SQL += opening
	}
	txn := a.take(ev, false)
	txn.DDL = st
	a.part++
	return a.emit(ev, txn)
}

// statement reads a statement's context.
func (a *assembler) statement(ev *event, q queryEvent) (*change.Statement, error) {
	session, err := parseStatusVars(q.statusVars, ev.timestamp)
	if err != nil {
		return nil, malformed(err)
	}
	// The tables may be other ones behind it; what is cached describes the old ones.
	a.tables.forget()
	st := &change.Statement{SQL: string(q.sql), Database: string(q.database), Session: session}
	if a.mariadb == 0 {
		return st, nil
	}
	return st, a.fromMariaDB(st)
}

// begin opens the transaction's body.
func (a *assembler) begin(ev *event) error {
	switch a.phase {
	case open:
		return malformed(errors.New("BEGIN inside a transaction"))
	case between: // Before MySQL 5.7 no event announces a transaction without a GTID.
		if err := a.nameless(); err != nil {
			return err
		}
		a.reset(ev)
	}
	a.phase = open
	return nil
}

// dropMark removes a savepoint; setting one anew moves it.
func (a *assembler) dropMark(name string) {
	for i, m := range a.marks {
		if m.name == name {
			a.marks = append(a.marks[:i], a.marks[i+1:]...)
			return
		}
	}
}

// rollbackTo forgets the changes behind a savepoint; the savepoint itself stays.
func (a *assembler) rollbackTo(name string) error {
	for i, m := range a.marks {
		if m.name != name {
			continue
		}
		if m.part != a.part {
			return halt("BS-EVENT-UNSUPPORTED", "a transaction too large to be held goes back to a savepoint whose changes were passed on already",
				"bring the tables of this transaction to the source's state by hand, then skip the transaction (binseal position skip)")
		}
		a.digest.off = true
		clear(a.rows[m.rows:])
		a.memory.rollback(m.kept)
		a.rows, a.bytes, a.marks = a.rows[:m.rows], m.bytes, a.marks[:i+1]
		return nil
	}
	return halt("BS-EVENT-UNSUPPORTED", "a transaction goes back to a savepoint that it did not set", "report the log around this position")
}

// ddl yields a statement that stands alone.
func (a *assembler) ddl(ev *event, q queryEvent) error {
	if a.phase == between {
		if err := a.nameless(); err != nil {
			return err
		}
		a.reset(ev)
	}
	if a.idle {
		return a.finish(ev, a.take(ev, true))
	}
	if q.errorCode != 0 {
		return halt("BS-DDL-UNSUPPORTED", fmt.Sprintf("a statement failed in part on the source, with error %d", q.errorCode),
			"bring the target's tables to the source's state by hand, then skip the transaction (binseal position skip)")
	}
	st, err := a.statement(ev, q)
	if err != nil {
		return err
	}
	txn := a.take(ev, true)
	txn.DDL = st
	return a.finish(ev, txn)
}

// addRows takes a row event; rows of excluded tables are dropped without a look.
func (a *assembler) addRows(ev *event) error {
	if a.phase != open {
		return malformed(errors.New("a row event outside a transaction"))
	}
	if !a.byPosition && !a.gtid.IsZero() && a.original.IsZero() {
		if err := a.digest.add(ev); err != nil {
			return err
		}
	}
	event, err := a.tables.rows(ev, a.xa || a.bytes > lentOfTxn)
	if err != nil {
		return err
	}
	held := ev.held // Counted with the first rows.
	for len(event.data) > 0 {
		if a.rows == nil && !a.xa { // Rows of XA are kept past those behind them.
			a.rows = a.memory.rows()
		}
		rows, err := a.tables.cut(&event, a.rows)
		if err != nil {
			return err
		}
		if !a.xa && a.replaying(ev) {
			continue
		}
		a.count(ev, rows[len(a.rows):], held)
		a.rows, held = rows, 0
		if err := a.full(ev); err != nil {
			return err
		}
	}
	if event.stmtEnd {
		a.tables.endStatement()
	}
	return nil
}

// count adds rows that were cut from an event to the open transaction's size, with what the event holds beside them.
func (a *assembler) count(ev *event, added []change.Row, held int) {
	a.bytes += held + len(added)*rowOverhead
	if ev.typ == typePartialUpdateRows {
		for _, r := range added {
			a.bytes += len(r.After) // Memory of its own, with the whole document.
		}
	}
}

// full yields a part when there is as much as one may have, and refuses an XA transaction that is too large to be held.
func (a *assembler) full(ev *event) error {
	switch {
	case a.xa && a.held.bytes+a.bytes > a.maxHeld:
		return xaTooLarge()
	case a.xa || a.bytes <= a.maxPart && len(a.rows) <= maxPartRows:
		return nil
	}
	txn := a.take(ev, false)
	a.part++
	return a.emit(ev, txn)
}

// commit yields the last part of the open transaction.
func (a *assembler) commit(ev *event) error {
	if a.xa {
		return malformed(errors.New("an XA transaction ends like a plain one"))
	}
	return a.finish(ev, a.take(ev, true))
}

// take makes a part of what is held; ev is its last event.
func (a *assembler) take(ev *event, last bool) *change.Txn {
	var txn *change.Txn
	rows := slices.Clip(a.rows)
	if a.bytes > smallTxn || a.xa {
		txn, rows = a.memory.own(a.rows)
	} else {
		a.memory.keepRows(a.rows)
		txn = a.memory.txn()
	}
	txn.GTID, txn.First, txn.Last = a.gtid, a.part == 0, last
	txn.Start, txn.CommitTime, txn.Basis = a.start, a.committed, change.BasisImmediateCommit
	txn.Rows, txn.Bytes, txn.Undecided = rows, a.bytes, a.undecided
	if a.committed.IsZero() {
		txn.CommitTime, txn.Basis = time.Unix(int64(ev.timestamp), 0).UTC(), change.BasisEventHeader
	}
	if last {
		txn.End = ev.end
		txn.Evidence = change.Evidence{GTID: a.gtid, Original: a.original, Digest: a.digest.sum(), Behind: a.seen.Last(a.gtid.Domain)}
	}
	length := ev.end.Pos - a.start.Pos // A transaction never spans two files.
	txn.LogBytes, a.partStart = length-a.partStart, length
	a.rows, a.bytes = nil, 0
	return txn
}

// finish yields the last part and closes the transaction.
func (a *assembler) finish(ev *event, txn *change.Txn) error {
	a.phase = between
	a.tables.endStatement()
	if err := a.emit(ev, txn); err != nil {
		return err
	}
	a.passed(txn.GTID)
	return nil
}

// passed notes that a transaction is over.
func (a *assembler) passed(g change.GTID) {
	if g.IsMariaDB() && !a.byPosition {
		a.seen.Add(g)
	}
	a.done(g)
}

// boundary is the begin or the end of a file. A source that crashed may leave a transaction without its end there;
// it was never committed.
func (a *assembler) boundary(ev *event) error {
	if ev.typ == typeFormatDescription {
		a.tables.forget() // A restarted source counts its table ids anew.
	}
	if a.phase == between {
		return nil
	}
	if a.part > 0 {
		return lost(errors.New("the file ends inside a transaction that was passed on in part"))
	}
	a.logger.Warn("incomplete transaction at the end of a file dropped", "position", a.start.String(), "gtid", a.gtid.String())
	a.phase = between
	a.rows, a.bytes = nil, 0
	return nil
}

// refuse names why an event stops the stream.
func refuse(ev *event) error {
	switch ev.typ {
	case typeIntvar, typeRand, typeUserVar, typeBeginLoadQuery, typeExecuteLoadQuery:
		return statementFormat()
	case typeIncident:
		return halt("BS-INCIDENT", "the source recorded that its log misses changes (an INCIDENT event)",
			"find the incident in the source's error log; the data must be copied anew")
	case typeWriteRowsV0, typeUpdateRowsV0, typeDeleteRowsV0:
		return halt("BS-EVENT-UNSUPPORTED", fmt.Sprintf("row events of type %d come from a server older than MySQL 5.1.16", ev.typ),
			"upgrade the source")
	}
	if ev.flags&flagIgnorable != 0 {
		return nil // binlog_event.h, LOG_EVENT_IGNORABLE_F: the source says that a replica may skip it unread.
	}
	return halt("BS-EVENT-UNKNOWN", fmt.Sprintf("an event of type %d is not known", ev.typ),
		"check whether a newer binseal knows it; if the event is harmless, skip the transaction (binseal position skip)")
}

// statementFormat is the fault of a change that the log holds as a statement.
func statementFormat() error {
	return halt("BS-DML-STATEMENT", "the source logged a change of rows as a statement",
		"set binlog_format=ROW on the source, also in sessions; repeat the change on the target by hand and skip the transaction (binseal position skip), or copy the tables anew")
}
