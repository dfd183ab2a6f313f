package applier

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// span names an epoch's place in the source's log: of one transaction its begin and GTID, by which a person can skip it.
func (e *epoch) span() string {
	if e.transactions == 1 && e.gtids.Count() <= 1 {
		return named(e.first, e.gtids.String())
	}
	return fmt.Sprintf("%s–%s", e.first, e.end)
}

// at puts the transaction's position into a fault that knows only its table.
func at(err error, t *change.Txn) error {
	return placed(err, position(t.Start, t.GTID))
}

// place does the same for an epoch; when it is one transaction the place is exact.
func place(err error, e *epoch) error { return placed(err, e.span()) }

func placed(err error, where string) error {
	f := change.FaultOf(err)
	if f == nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	g := *f
	if g.Where != "" {
		where += ": " + g.Where
	}
	g.Where = where
	return &g
}

// routedFrom adds the source's name of a table to a fault that names the target's.
func routedFrom(source, target schema.Name, err error) error {
	f := change.FaultOf(err)
	if f == nil || source == target {
		return err
	}
	g := *f
	g.Where += " (" + source.String() + " on the source)"
	return &g
}

func position(p change.Position, g change.GTID) string { return named(p, g.String()) }

// named is a transaction's place in the form in which all halts give it.
func named(p change.Position, gtid string) string {
	if gtid == "" {
		return p.String()
	}
	return p.String() + " (GTID " + gtid + ")"
}

// diverged: the target is not what the source's history makes it (DESIGN.md §3).
func diverged(e *epoch, m *mismatch) error {
	what := fmt.Sprintf("%s matched %d rows, expected %d (key %s)", m.verb, m.got, m.count, keyColumns(m.table))
	return &change.Fault{Code: "BS-DIVERGED", Class: change.ClassPerson, Where: e.span() + ": " + m.table.String(),
		What: "the target differs from the source: " + what,
		Next: "find out who else writes to the target, make the table equal again (or exclude it), then start again"}
}

// refused: the target's server did not accept a statement that the source's history makes valid.
func refused(e *epoch, number uint16, err error) error {
	code, what := "BS-REFUSED", "the target refuses a row change"
	if number == 1062 {
		code, what = "BS-DIVERGED", "the target differs from the source: it holds a row that the source does not"
	}
	return &change.Fault{Code: code, Class: change.ClassPerson, Where: e.span() + e.named(), What: what, Err: err,
		Next: "compare the table on both sides (definition first, then rows) and make them equal; a generated column whose value the source has clipped (sql_mode without strict, IGNORE) must not be generated on the target; then start again"}
}

// maxNamed is how many tables a message names.
const maxNamed = 3

// named names the tables of an epoch, for messages: a server's refusal of a packet does not tell the statement.
func (e *epoch) named() string {
	var names []string
	for _, tc := range e.tables {
		names = append(names, tc.def().String())
	}
	for b := range e.orderedTables {
		names = append(names, b.def.String())
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	more := ""
	if len(names) > maxNamed {
		names, more = names[:maxNamed], " …"
	}
	return ": " + strings.Join(names, ", ") + more
}

// haltInRecovery: an epoch is half done, and what the source sends now cannot be a part of it.
func haltInRecovery(where, what string) error {
	return &change.Fault{Code: "BS-HALF-DONE", Class: change.ClassPerson, Where: where,
		What: "an epoch is half done on the target and cannot be finished: " + what,
		Next: "the source's history is not the one that the epoch was read from; connect the source that ran before, or load the target again and set its position (binseal position set --loaded)"}
}
