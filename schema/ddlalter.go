package schema

import (
	"slices"
	"strings"
)

// columnsTaken is what an ALTER TABLE does to the names of columns. Where it gives a name to a column that another
// one gives up, the definition may be the same before and after, though the rows are not:
//
//	(a INT, b INT): CHANGE a b INT, CHANGE b a INT FIRST      a and b have changed places
//	(a INT, b INT): DROP a, RENAME COLUMN b TO a, ADD b INT   a has b's values, b has none
type columnsTaken struct {
	given, gone []string // New names of renamed columns; names that were renamed or dropped.
	placed      bool     // FIRST, AFTER or ADD: without one of them a renaming shows in the order of the columns.
}

// hidden reports that SHOW CREATE TABLE may not tell whether the statement has run.
func (c *columnsTaken) hidden() bool {
	return c.placed && slices.ContainsFunc(c.given, func(name string) bool { return slices.Contains(c.gone, name) })
}

// alterTable reads ALTER TABLE: the table, and of its comma-separated actions those that name another table, move
// data that the stream does not carry, or leave traces that are not in the definition.
func (r *reader) alterTable() *DDL {
	d := &DDL{Kind: AlterTable, Tables: []Name{r.table("ALTER TABLE")}}
	d.Unencrypted = r.asksForPlain()
	var columns columnsTaken
	for r.fault == nil {
		r.columnNames(&columns)
		r.action(d)
		for r.pos < len(r.tokens) && !(r.peek().isPunct(',') && r.peek().depth == 0) {
			r.pos++
		}
		if !r.acceptPunct(',') {
			break
		}
	}
	d.ByIDs = d.ByIDs || columns.hidden()
	return d
}

// action reads the head of one action of an ALTER TABLE.
func (r *reader) action(d *DDL) {
	switch {
	case r.accept("RENAME"):
		if r.accept("COLUMN", "INDEX", "KEY") {
			return
		}
		if !r.accept("TO", "AS") {
			r.acceptPunct('=')
		}
		to := r.table("ALTER TABLE")
		d.Rename = append(d.Rename, Pair{d.Tables[0], to})
		d.Tables = append(d.Tables, to)
	case r.acceptAll("EXCHANGE", "PARTITION"):
		r.name("ALTER TABLE … EXCHANGE PARTITION")
		if !r.acceptAll("WITH", "TABLE") {
			r.fail(unparsable("an ALTER TABLE … EXCHANGE PARTITION"))
			return
		}
		d.Tables = append(d.Tables, r.table("ALTER TABLE … EXCHANGE PARTITION"))
		d.ByIDs = true
	case r.accept("DISCARD", "IMPORT"):
		r.fail(unsupported("ALTER TABLE … TABLESPACE", notByHand))
	case r.accept("UNION"):
		r.refuse("ALTER TABLE with UNION")
	case r.accept("SECONDARY_LOAD", "SECONDARY_UNLOAD"), r.acceptAll("ANALYZE", "PARTITION"), r.acceptAll("CHECK", "PARTITION"),
		r.acceptAll("OPTIMIZE", "PARTITION"), r.acceptAll("REPAIR", "PARTITION"):
		d.Kind = Maintenance
	case r.peek().is("ADD", "MODIFY", "CHANGE"):
		d.NumbersRows = d.NumbersRows || r.actionHas("AUTO_INCREMENT")
		if name := r.callsSession(); name != "" {
			r.fail(unsupported("an ALTER TABLE that may fill rows with "+name+"(), whose value is another one in each session,", notByHand))
		}
	}
}

// columnNames looks at the action at the cursor for names of columns that it gives and takes, and consumes nothing.
func (r *reader) columnNames(c *columnsTaken) {
	at := r.pos
	defer func() { r.pos = at }()
	c.placed = c.placed || r.actionHas("FIRST") || r.actionHas("AFTER")
	switch {
	case r.acceptAll("RENAME", "COLUMN"):
		from := r.peek().text
		r.pos++
		if r.accept("TO") {
			c.rename(from, r.peek().text)
		}
	case r.accept("CHANGE"):
		r.accept("COLUMN")
		from := r.peek().text
		r.pos++
		c.rename(from, r.peek().text)
	case r.accept("DROP"):
		r.accept("COLUMN")
		c.gone = append(c.gone, foldColumn(r.peek().text))
	case r.accept("ADD"):
		c.placed = true
	}
}

func (c *columnsTaken) rename(from, to string) {
	if from, to = foldColumn(from), foldColumn(to); from != to {
		c.gone, c.given = append(c.gone, from), append(c.given, to)
	}
}

// foldColumn: names of columns are compared without case. Accents, which the server ignores too, are not: two names
// that differ in those alone cannot be in one table.
func foldColumn(name string) string { return strings.ToLower(name) }

// actionHas reports whether the action at the cursor has the keyword.
func (r *reader) actionHas(keyword string) bool {
	return slices.ContainsFunc(r.restOfAction(), func(t token) bool { return t.is(keyword) })
}

// restOfAction are the tokens up to the comma that ends the action at the cursor.
func (r *reader) restOfAction() []token {
	rest := r.tokens[min(r.pos, len(r.tokens)):]
	if end := slices.IndexFunc(rest, func(t token) bool { return t.isPunct(',') && t.depth == 0 }); end >= 0 {
		return rest[:end]
	}
	return rest
}

// sessionFunctions give another value in the applier's session than in the source's, and the source's server lets
// them into defaults of new columns (measured on 9.7; it refuses UUID(), RAND(), USER() and their like with 1674).
// DATABASE() is NULL where the default database is not on the target, and another name where it is routed. All are
// called without arguments; a name before other parentheses is that of an index.
var sessionFunctions = []string{"CONNECTION_ID", "CURRENT_ROLE", "PS_CURRENT_THREAD_ID", "ROLES_GRAPHML", "DATABASE", "SCHEMA"}

// callsSession names a function of the session that the action at the cursor calls; "" when it calls none.
func (r *reader) callsSession() string {
	rest := r.restOfAction()
	for i, t := range rest {
		if t.is(sessionFunctions...) && i+2 < len(rest) && rest[i+1].isPunct('(') && rest[i+2].isPunct(')') {
			return strings.ToUpper(t.text)
		}
	}
	return ""
}
