package replicator

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// lookupPage is how many events one SHOW BINLOG EVENTS lists: a large transaction has a hundred thousand.
const lookupPage = 1000

// loggedEvent is a line of SHOW BINLOG EVENTS, without what the event holds.
type loggedEvent struct {
	pos, end uint64
	kind     string // The server's own word: "Query", "Xid".
	verb     string // Of a Query that is BEGIN, COMMIT, ROLLBACK, XA COMMIT or XA ROLLBACK; "" for all others.
	gtid     string // Of MariaDB's GTID event, as text.
}

// LoggedTransaction is where a transaction stands in the source's log.
type LoggedTransaction struct {
	change.Span
	Decides bool // It is the outcome of an XA transaction that was prepared before it.
}

// TransactionAt finds the first transaction at or behind pos in the source's log. It reads the log by SQL, as a person would, so it also passes over what the stream refuses.
// found is false when the log ends before one begins. An offset at which no event begins is a *change.Fault
// BS-POSITION-INVALID. It needs the privilege REPLICATION SLAVE.
func TransactionAt(ctx context.Context, s *mysqlconn.Session, pos change.Position) (t LoggedTransaction, found bool, err error) {
	files, err := logSizes(ctx, s)
	if err != nil {
		return t, false, err
	}
	if err := admitPosition(files, pos); err != nil {
		return t, false, err
	}
	for _, f := range files {
		if f.Name != pos.File && change.FileNumber(f.Name) < change.FileNumber(pos.File) {
			continue
		}
		from := uint64(binlogMagic)
		if f.Name == pos.File {
			from = pos.Pos
		}
		var g grouping
		if err := f.events(ctx, s, from, g.add); err != nil {
			return t, false, err
		}
		if g.begun {
			t.From, t.To = change.Position{File: f.Name, Pos: g.start}, change.Position{File: f.Name, Pos: g.end}
			t.Decides = g.decides
			return t, true, nil
		}
	}
	return t, false, nil
}

// binlogMagic is the length of what stands before a file's first event.
const binlogMagic = 4

// grouping finds the first transaction in a run of events. A transaction that a GTID event announces, also an
// anonymous one, goes up to the next of these; logs without them (MySQL 5.6 without GTIDs) end it by COMMIT or XID, or
// with the one Query of a statement that commits by itself.
type grouping struct {
	begun, announced, open, decides bool
	start, end                      uint64
}

// add takes one event and reports whether the transaction is whole.
func (g *grouping) add(e loggedEvent) bool {
	announces := e.kind != "Gtid_list" && strings.HasPrefix(e.kind, "Gtid") || strings.HasPrefix(e.kind, "Anonymous_Gtid")
	switch e.kind {
	case "Format_desc", "Previous_gtids", "Gtid_list", "Binlog_checkpoint", "Start_encryption":
		return false
	case "Rotate", "Stop":
		return g.begun
	}
	if g.begun && announces {
		return true
	}
	if !g.begun {
		g.begun, g.announced, g.start = true, announces, e.pos
	}
	g.end = e.end
	g.decides = g.decides || strings.HasPrefix(e.verb, "XA ")
	if g.announced {
		return false
	}
	switch {
	case e.verb == "BEGIN":
		g.open = true
		return false
	case e.kind == "Query":
		return !g.open || e.verb != ""
	}
	return e.kind == "Xid"
}

// NextInDomain finds the transaction of a domain that comes next behind a position, on MariaDB: the first, at or behind
// pos, that the set does not have. A zero pos is the begin of the log. It reads the log as TransactionAt does.
func NextInDomain(ctx context.Context, s *mysqlconn.Session, pos change.Position, have change.GTIDSet, domain uint32) (next change.GTID, found bool, err error) {
	files, err := logSizes(ctx, s)
	if err != nil {
		return next, false, err
	}
	for _, f := range files {
		from := uint64(binlogMagic)
		switch {
		case pos.IsZero():
		case f.Name == pos.File:
			from = pos.Pos
		case change.FileNumber(f.Name) < change.FileNumber(pos.File):
			continue
		}
		err := f.events(ctx, s, from, func(e loggedEvent) bool {
			g, err := change.ParseGTID(e.gtid)
			if found = err == nil && g.IsMariaDB() && g.Domain == domain && !have.Has(g); found {
				next = g
			}
			return found
		})
		if found || err != nil {
			return next, found, err
		}
	}
	return next, false, nil
}

// events gives a file's events from an offset on, until visit returns true or the file ends.
func (f LogFile) events(ctx context.Context, q querier, from uint64, visit func(loggedEvent) bool) error {
	for from < f.Size {
		events, err := eventsOf(ctx, q, f.Name, from)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.end <= from { // Also an end of 0, of an event that is not written whole yet.
				return nil
			}
			from = e.end
			if visit(e) {
				return nil
			}
		}
		if len(events) == 0 {
			return nil
		}
	}
	return nil
}

// eventsOf lists a page of events. Their contents, which hold statements, are dropped here.
func eventsOf(ctx context.Context, q querier, file string, from uint64) ([]loggedEvent, error) {
	const op = "list the events of its log"
	rows, err := q.QueryContext(ctx, origin+fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d LIMIT %d", strings.ReplaceAll(file, "'", "''"), from, lookupPage))
	if err != nil {
		return nil, lookupFault(file, from, mysqlconn.Describe("source", op, err))
	}
	defer rows.Close()
	var events []loggedEvent
	for rows.Next() {
		var e loggedEvent
		var info sql.RawBytes
		if err := rows.Scan(new(sql.RawBytes), &e.pos, &e.kind, new(sql.RawBytes), &e.end, &info); err != nil {
			return nil, mysqlconn.Describe("source", op, err)
		}
		e.end = endBehind(e.pos, e.end)
		e.verb = verbOf(strings.ToUpper(string(info)))
		if e.kind == "Gtid" { // "BEGIN GTID 0-1-5", "GTID 0-1-5", "BEGIN GTID 0-1-5 cid=7".
			_, text, _ := strings.Cut(string(info), "GTID ")
			e.gtid, _, _ = strings.Cut(text, " ")
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, lookupFault(file, from, mysqlconn.Describe("source", op, err))
	}
	return events, nil
}

// endBehind is the end of an event that begins at pos, of which the server has told the last 32 bits, as the event's header has
// it. An end of 0, of an event that is not written whole yet, stays so.
func endBehind(pos, told uint64) uint64 {
	if told == 0 {
		return 0
	}
	return pos + uint64(uint32(told)-uint32(pos))
}

// verbOf is the verb of a loggedEvent whose contents, in upper case, are info.
func verbOf(info string) string {
	for _, outcome := range []string{"XA COMMIT", "XA ROLLBACK"} { // With the name behind it, which the server writes itself.
		if strings.HasPrefix(info, outcome+" ") {
			return outcome
		}
	}
	if info == "BEGIN" || info == "COMMIT" || info == "ROLLBACK" {
		return info
	}
	return ""
}

// errShowEvents is ER_ERROR_WHEN_EXECUTING_COMMAND: for SHOW BINLOG EVENTS, an offset that is no event's.
const errShowEvents = 1220

func lookupFault(file string, from uint64, err error) error {
	if n, _ := mysqlconn.Number(err); n != errShowEvents {
		return err
	}
	f := halt(codePosition, "no event of the source's log begins there", "take the position from SHOW BINLOG EVENTS, from mysqlbinlog or from what the halt printed")
	f.Where = change.Position{File: file, Pos: from}.String()
	return f
}
