package schema

import (
	"fmt"
	"strings"

	"github.com/binseal/binseal/change"
)

// Kind is what a statement does.
type Kind uint8

// The kinds of statement that the stream understands. The last three are skipped: see Kind.Skip.
const (
	CreateTable Kind = iota + 1
	AlterTable
	DropTable
	RenameTable
	TruncateTable
	CreateDatabase
	AlterDatabase
	DropDatabase
	CreateIndex
	DropIndex
	CreateView
	AlterView
	DropView
	CreateRoutine // A stored procedure or function.
	AlterRoutine
	DropRoutine
	CreateTrigger // Triggers and events are held until cutover: see Kind.Held.
	DropTrigger
	CreateEvent
	AlterEvent
	DropEvent
	Maintenance        // ANALYZE, OPTIMIZE, REPAIR, CHECK, FLUSH, ALTER INSTANCE: no data changes.
	Accounts           // Users, roles, grants, passwords: each side has its own.
	DropTemporaryTable // Logged when a session with temporary tables ends; the target never had them.
)

// kindNames are the words of an operator's log.
var kindNames = map[Kind]string{
	CreateTable: "CREATE TABLE", AlterTable: "ALTER TABLE", DropTable: "DROP TABLE", RenameTable: "RENAME TABLE",
	TruncateTable: "TRUNCATE TABLE", CreateDatabase: "CREATE DATABASE", AlterDatabase: "ALTER DATABASE",
	DropDatabase: "DROP DATABASE", CreateIndex: "CREATE INDEX", DropIndex: "DROP INDEX",
	CreateView: "CREATE VIEW", AlterView: "ALTER VIEW", DropView: "DROP VIEW",
	CreateRoutine: "CREATE ROUTINE", AlterRoutine: "ALTER ROUTINE", DropRoutine: "DROP ROUTINE",
	CreateTrigger: "CREATE TRIGGER", DropTrigger: "DROP TRIGGER",
	CreateEvent: "CREATE EVENT", AlterEvent: "ALTER EVENT", DropEvent: "DROP EVENT",
	Maintenance: "maintenance", Accounts: "accounts", DropTemporaryTable: "DROP TEMPORARY TABLE",
}

// String names the kind as SQL does.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Skip reports that statements of this kind are not run on the target: they concern no replicated data.
func (k Kind) Skip() bool { return k >= Maintenance }

// Held reports that statements of this kind are recorded and not run before cutover: a trigger on the target would
// fire a second time for each applied row, and an event would run on both sides.
func (k Kind) Held() bool { return k >= CreateTrigger && k <= DropEvent }

// Pair is one renaming of a RENAME TABLE.
type Pair struct{ From, To Name }

// DDL is a classified statement. SQL is run as it was written, in the session that SessionStatements recreates and
// with the event's default database.
type DDL struct {
	Kind      Kind
	Tables    []Name   // All tables that it changes, creates or copies, old and new names. Not those that foreign keys refer to.
	Databases []string // Databases that it creates, alters or drops.
	Object    Name     // Of a statement on a routine, trigger or event: its name. A trigger's table is in Tables.
	Rename    []Pair   // For RENAME TABLE, in order; for ALTER TABLE … RENAME, one.
	// Idempotent: running it a second time gives the same result, so that after a crash it can simply be run again.
	Idempotent bool
	// ByIDs: the definition may be the same before and after, though the rows are not. Whether it ran is told by the ids
	// that InnoDB has given to its tables: see StorageIDs.
	ByIDs bool
	// NumbersRows: it adds an AUTO_INCREMENT column to a table, whose values follow the order of the rows in the
	// clustered index. On a table without a primary key that order may differ between source and target.
	NumbersRows bool
	// Unencrypted: it asks for ENCRYPTION='N', which an encrypted target should not grant.
	Unencrypted bool
	// OpensTransaction: CREATE TABLE … SELECT as sources from 8.0.21 on log it, in one transaction with the rows. SQL
	// is without the START TRANSACTION among its options, which only the server's own replicas can run.
	OpensTransaction bool
	// Blind: nobody can tell afterwards whether it ran. Only an operator's rule lets such a statement through.
	Blind bool
	SQL   string

	definer span        // Of the DEFINER clause in SQL; empty without one.
	names   []reference // Where the source's text names tables, objects and databases; not inside of a body.
	opens   span        // Of START TRANSACTION in the source's text.
}

// span is a range of bytes in a statement.
type span struct{ from, to int }

// WithoutDefiner is the statement without its DEFINER clause: whoever runs it becomes the definer. An account needs
// SET_ANY_DEFINER to name another, which managed targets do not give, and the source's accounts are not on the
// target. SQL SECURITY stays as it was written. replaced is false when there is no such clause.
func (d *DDL) WithoutDefiner() (sql string, replaced bool) {
	if d.definer.to == 0 {
		return d.SQL, false
	}
	return d.SQL[:d.definer.from] + d.SQL[d.definer.to:], true
}

// ParseDDL classifies a statement of a QUERY event. Two readers look at it, this package's own and the TiDB parser;
// where both understand it they must agree. What neither can name with certainty is a *change.Fault of ClassPerson
// (BS-DDL-UNSUPPORTED, BS-DDL-UNPARSABLE, BS-DML-STATEMENT, BS-XA-UNSUPPORTED), which names the kind of statement
// and never its text: texts may hold values (invariants 6 and 9). The caller adds the position as Where.
//
// Names are read in the statement's own sql_mode. Versioned comments count as code whatever their version, up to
// MySQL 9: a comment between the versions of source and target is code for one of them only, which no one can see
// from the text.
func ParseDDL(st *change.Statement) (*DDL, error) {
	d, _, err := parse(st)
	return d, err
}

// parse is ParseDDL that also names the statement's kind for rules; it does so also where it refuses the statement.
func parse(st *change.Statement) (_ *DDL, kind string, _ error) {
	mode := sqlMode(st)
	tokens, err := scan(st.SQL, mode)
	if err != nil || len(tokens) == 0 {
		return nil, headline(nil), unparsable("a statement")
	}
	kind = headline(tokens)
	if err := checkClientCharset(st); err != nil {
		return nil, kind, err
	}
	r := &reader{tokens: tokens, database: st.Database, fold: st.LowerCaseNames}
	if r.fold {
		r.database = strings.ToLower(r.database)
	}
	d := r.statement()
	r.foreignTables(d)
	if st.MariaDB {
		r.inlineReferences(d)
	}
	if r.fault != nil {
		return nil, kind, r.fault
	}
	d.SQL, d.names = st.SQL, r.names
	if d.OpensTransaction {
		plain := *st
		plain.SQL = strings.TrimSpace(st.SQL[:d.opens.from] + st.SQL[d.opens.to:])
		d.SQL, st = plain.SQL, &plain
	}
	if !d.Kind.Skip() && d.Object.Table == "" { // The other reader knows no routines, triggers and events.
		if err := crossCheck(d, st, mode); err != nil {
			return nil, kind, err
		}
	}
	return d, d.Kind.String(), nil
}

// sqlMode is the mode in which a statement's text is read.
func sqlMode(st *change.Statement) uint64 {
	if st.Session.SQLMode == nil {
		return 0
	}
	return *st.Session.SQLMode
}

// checkClientCharset refuses texts that a byte-wise reader could misread: in big5, gbk, sjis, cp932 and gb18030 a
// character may end in the byte of a backslash or a backtick. Names outside of ASCII are read as UTF-8 only.
func checkClientCharset(st *change.Statement) error {
	ascii := strings.IndexFunc(st.SQL, func(r rune) bool { return r >= 0x80 }) < 0
	if ascii {
		return nil
	}
	switch st.Session.CharsetClient {
	case 1, 84, 13, 88, 95, 96, 28, 87, 248, 249, 250:
		return unsupported("a statement with characters outside of ASCII, sent in a multi-byte client character set",
			"send DDL as utf8mb4 on the source; make this change on the target by hand and skip the transaction (binseal position skip)")
	}
	return nil
}

// unsupported is a statement that is understood but not replicated.
func unsupported(what, next string) *change.Fault {
	return &change.Fault{Code: "BS-DDL-UNSUPPORTED", Class: change.ClassPerson,
		What: what + " is not replicated", Next: next}
}

// unparsable is a statement that is not understood: unparsable never means skip.
func unparsable(kind string) *change.Fault {
	return &change.Fault{Code: "BS-DDL-UNPARSABLE", Class: change.ClassPerson,
		What: kind + " is not understood",
		Next: "look at the statement with mysqlbinlog at this position; run what it should do on the target by hand, then skip the transaction (binseal position skip)"}
}

// Filtered says whether the statement is to be run under a filter: run is false when it concerns excluded names
// only. A statement that names both is a *change.Fault BS-DDL-MIXED-FILTER, since it cannot be run in half.
func (d *DDL) Filtered(f *Filter) (run bool, err error) {
	if d.Kind.Skip() {
		return false, nil
	}
	if d.Object.Table != "" && len(d.Tables) == 0 {
		return f.IncludesSchema(d.Object.Schema), nil
	}
	var in, out int
	for _, t := range d.Tables {
		if f.Includes(t.Schema, t.Table) {
			in++
		} else {
			out++
		}
	}
	for _, db := range d.Databases {
		switch {
		case !f.IncludesSchema(db):
			out++
		case d.Kind == DropDatabase && !f.includesAllOf(db):
			// It would take tables of the target with it that are not this stream's.
			in, out = in+1, out+1
		default:
			in++
		}
	}
	if in > 0 && out > 0 {
		return false, &change.Fault{Code: "BS-DDL-MIXED-FILTER", Class: change.ClassPerson,
			What: fmt.Sprintf("a %s names replicated and excluded tables together", d.Kind),
			Next: "widen or narrow tables.include and tables.exclude so that all of its tables are on one side, or make the change on the target by hand and skip the transaction (binseal position skip)"}
	}
	return in > 0, nil
}

// Witnessed is a RENAME TABLE with one more pair: a marker table that is renamed in the same atomic statement.
// After a crash the marker's name tells whether the statement ran, also where it swaps two tables of one definition.
// It is "" for other kinds. The statement is written anew, since a comment may end the original.
func (d *DDL) Witnessed(from, to Name) string {
	if d.Kind != RenameTable {
		return ""
	}
	var b strings.Builder
	b.WriteString("RENAME TABLE ")
	for _, p := range d.Rename {
		fmt.Fprintf(&b, "%s TO %s, ", p.From.Quoted(), p.To.Quoted())
	}
	fmt.Fprintf(&b, "%s TO %s", from.Quoted(), to.Quoted())
	return b.String()
}
