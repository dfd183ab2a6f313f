package schema

import (
	"strings"
	"unicode/utf8"

	"github.com/binseal/binseal/change"
)

// reader reads a statement's kind and names from its tokens. It follows the server's grammar (sql_yacc.yy) for the
// parts that hold them and looks over the rest. The first thing that it is not certain of sets fault.
type reader struct {
	tokens   []token
	pos      int
	definer  span   // Of the DEFINER clause, once read.
	database string // Default database of the session.
	fold     bool   // Names of databases and tables mean their lower case.
	names    []reference
	fault    *change.Fault
}

// reference is a place where a statement names a table, an object of a schema (a routine, trigger or event) or, with
// Table empty, a database.
type reference struct {
	name   Name
	object bool
	at     span
}

// peek is the next token; the zero token at the end.
func (r *reader) peek() token {
	if r.pos < len(r.tokens) {
		return r.tokens[r.pos]
	}
	return token{}
}

// accept consumes the next token if it is one of the keywords.
func (r *reader) accept(keywords ...string) bool {
	if r.peek().is(keywords...) {
		r.pos++
		return true
	}
	return false
}

// acceptAll consumes a run of keywords, all or none.
func (r *reader) acceptAll(keywords ...string) bool {
	for i, k := range keywords {
		if r.pos+i >= len(r.tokens) || !r.tokens[r.pos+i].is(k) {
			return false
		}
	}
	r.pos += len(keywords)
	return true
}

// acceptPunct consumes the next token if it is this byte.
func (r *reader) acceptPunct(c byte) bool {
	if r.peek().isPunct(c) {
		r.pos++
		return true
	}
	return false
}

// fail records the first fault and ends the reading.
func (r *reader) fail(f *change.Fault) *DDL {
	if r.fault == nil {
		r.fault = f
	}
	r.pos = len(r.tokens)
	return nil
}

// refuse is a kind of statement that is understood and not replicated.
func (r *reader) refuse(what string) *DDL {
	return r.fail(unsupported(what, "make the same change on the target by hand if it is wanted there, then skip the transaction (binseal position skip)"))
}

// statement reads the whole statement.
func (r *reader) statement() *DDL {
	switch {
	case r.accept("CREATE"):
		return r.create()
	case r.accept("ALTER"):
		return r.alter()
	case r.accept("DROP"):
		return r.drop()
	case r.accept("RENAME"):
		return r.rename()
	case r.accept("TRUNCATE"):
		r.accept("TABLE")
		d := &DDL{Kind: TruncateTable, Idempotent: true, Tables: []Name{r.table("TRUNCATE TABLE")}}
		return r.end(d)
	case r.acceptAll("LOAD", "INDEX"), r.accept("ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CHECKSUM", "FLUSH", "CACHE"):
		return &DDL{Kind: Maintenance, Idempotent: true}
	case r.accept("GRANT", "REVOKE"), r.acceptAll("SET", "PASSWORD"), r.acceptAll("SET", "DEFAULT", "ROLE"):
		return &DDL{Kind: Accounts}
	}
	return r.refuseOther()
}

// refuseOther names what is not DDL that the stream runs.
func (r *reader) refuseOther() *DDL {
	first := r.peek()
	name := strings.ToUpper(first.text)
	switch {
	case first.is("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "SELECT", "WITH", "VALUES", "TABLE", "CALL", "DO"):
		return r.fail(&change.Fault{Code: "BS-DML-STATEMENT", Class: change.ClassPerson,
			What: name + " came in statement format, whose effect on the target is not certain to be the same",
			Next: "set binlog_format=ROW on the source for all sessions; then copy the table anew, or make the change on the target by hand and skip the transaction (binseal position skip)"})
	case first.is("XA"):
		return r.fail(&change.Fault{Code: "BS-XA-UNSUPPORTED", Class: change.ClassPerson,
			What: "an XA transaction is not replicated",
			Next: "use local transactions on the source; make this branch's changes on the target by hand and skip the transaction (binseal position skip)"})
	case first.is(otherVerbs...):
		return r.refuse(name)
	}
	return r.fail(unparsable("a statement"))
}

// end checks that the statement is over.
func (r *reader) end(d *DDL) *DDL {
	if r.fault == nil && r.pos < len(r.tokens) {
		return r.fail(unparsable("a " + d.Kind.String()))
	}
	return d
}

// name reads one identifier.
func (r *reader) name(kind string) string {
	t := r.peek()
	ok := t.kind == quoted || t.kind == word && strings.Trim(t.text, "0123456789") != ""
	// Names are compared with those of TABLE_MAP events, which are UTF-8.
	if !ok || t.text == "" || !utf8.ValidString(t.text) {
		r.fail(unparsable("a " + kind))
		return ""
	}
	r.pos++
	return t.text
}

// table reads a table name and resolves it in the default database.
func (r *reader) table(kind string) Name {
	return r.fullName(kind, false)
}

// objectName does so with the name of a routine, trigger or event.
func (r *reader) objectName(kind string) Name {
	return r.fullName(kind, true)
}

func (r *reader) fullName(kind string, object bool) Name {
	from := r.peek().at.from
	if r.conditional(kind) {
		return Name{}
	}
	n := Name{Schema: r.database, Table: r.name(kind)}
	if r.acceptPunct('.') {
		n = Name{Schema: n.Table, Table: r.name(kind)}
	}
	if n.Schema == "" {
		r.fail(unparsable("a " + kind + " without a default database"))
	}
	if r.fold {
		n = n.lower()
	}
	r.refer(n, object, from)
	return n
}

// conditional refuses IF EXISTS and IF NOT EXISTS where MySQL has none (MariaDB: ALTER TABLE IF EXISTS t …). IF is a reserved
// word and no name: taken for one, the statement would be about another table, and might be left out with it.
func (r *reader) conditional(kind string) bool {
	if !r.peek().is("IF") {
		return false
	}
	r.refuse(kind + " with IF EXISTS or IF NOT EXISTS, of which the log does not tell whether it had an effect,")
	return true
}

// databaseName reads the name of a database.
func (r *reader) databaseName(kind string) string {
	from := r.peek().at.from
	name := r.name(kind)
	if r.fold {
		name = strings.ToLower(name)
	}
	r.refer(Name{Schema: name}, false, from)
	return name
}

// refer notes a name that ends before the cursor.
func (r *reader) refer(n Name, object bool, from int) {
	if r.fault == nil {
		r.names = append(r.names, reference{n, object, span{from, r.tokens[r.pos-1].at.to}})
	}
}

// foreignTables notes the tables that the foreign keys of a CREATE TABLE or ALTER TABLE refer to. Without a database
// such a name is resolved in that of the table itself, not in the default database (sql_parse.cc,
// check_fk_parent_table_access). REFERENCES is a reserved word: behind a dot alone it may be a column's name.
func (r *reader) foreignTables(d *DDL) {
	if r.fault != nil || d.Kind != CreateTable && d.Kind != AlterTable {
		return
	}
	r.database = d.Tables[0].Schema
	for i, t := range r.tokens {
		if t.is("REFERENCES") && !r.tokens[i-1].isPunct('.') && r.fault == nil {
			r.pos = i + 1
			r.table("foreign key")
		}
	}
}

// tables reads a list of table names.
func (r *reader) tables(kind string) []Name {
	list := []Name{r.table(kind)}
	for r.acceptPunct(',') {
		list = append(list, r.table(kind))
	}
	return list
}

// rename reads RENAME TABLE and RENAME USER.
func (r *reader) rename() *DDL {
	if r.accept("USER") {
		return &DDL{Kind: Accounts}
	}
	if !r.accept("TABLE", "TABLES") {
		return r.fail(unparsable("a RENAME"))
	}
	d := &DDL{Kind: RenameTable}
	for {
		from := r.table("RENAME TABLE")
		if !r.accept("TO") {
			return r.fail(unparsable("a RENAME TABLE"))
		}
		to := r.table("RENAME TABLE")
		d.Tables = append(d.Tables, from, to)
		d.Rename = append(d.Rename, Pair{from, to})
		if !r.acceptPunct(',') {
			return r.end(d)
		}
	}
}

// drop reads DROP.
func (r *reader) drop() *DDL {
	switch {
	case r.acceptAll("TEMPORARY", "TABLE"), r.acceptAll("TEMPORARY", "TABLES"):
		return &DDL{Kind: DropTemporaryTable, Idempotent: true}
	case r.accept("TABLE", "TABLES"):
		d := &DDL{Kind: DropTable, Idempotent: r.acceptAll("IF", "EXISTS")}
		d.Tables = r.tables("DROP TABLE")
		r.accept("RESTRICT", "CASCADE")
		return r.end(d)
	case r.accept("DATABASE", "SCHEMA"):
		d := &DDL{Kind: DropDatabase, Idempotent: r.acceptAll("IF", "EXISTS")}
		d.Databases = []string{r.databaseName("DROP DATABASE")}
		return r.end(d)
	case r.accept("INDEX"):
		if r.conditional("DROP INDEX") {
			return nil
		}
		r.name("DROP INDEX")
		if !r.accept("ON") {
			return r.fail(unparsable("a DROP INDEX"))
		}
		return &DDL{Kind: DropIndex, Tables: []Name{r.table("DROP INDEX")}}
	case r.accept("USER", "ROLE"):
		return &DDL{Kind: Accounts}
	}
	return r.object("DROP")
}

// objects are what CREATE, ALTER and DROP may name besides tables, databases, indexes and accounts. Views, routines,
// triggers and events among them are replicated (ddlobject.go).
var objects = []string{"VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "SERVER", "TABLESPACE", "LOGFILE",
	"RESOURCE", "REFERENCE", "LIBRARY", "PREPARE", "TEMPORARY", "MASKING", "JSON", "EXTERNAL", "SEQUENCE", "PACKAGE"}

// refuseObject refuses CREATE, ALTER or DROP of something else by name. Options such as DEFINER=… come before it.
func (r *reader) refuseObject(verb string) *DDL {
	for _, t := range r.tokens[r.pos:] {
		if !t.is(objects...) {
			continue
		}
		what := strings.ToUpper(t.text)
		switch what {
		case "TEMPORARY":
			what = "TEMPORARY TABLE"
		case "RESOURCE":
			what = "RESOURCE GROUP"
		case "REFERENCE":
			what = "SPATIAL REFERENCE SYSTEM"
		}
		return r.refuse(verb + " " + what)
	}
	return r.fail(unparsable("a " + verb))
}
