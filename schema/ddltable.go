package schema

import "strings"

// notByHand is the next step after a statement whose data comes from elsewhere.
const notByHand = "bring the table on the target to the source's state by hand, then skip the transaction (binseal position skip)"

// create reads CREATE.
func (r *reader) create() *DDL {
	switch {
	case r.accept("TABLE"):
		return r.createTable()
	case r.accept("DATABASE", "SCHEMA"):
		d := &DDL{Kind: CreateDatabase, Idempotent: r.acceptAll("IF", "NOT", "EXISTS")}
		d.Databases = []string{r.databaseName("CREATE DATABASE")}
		d.Unencrypted = r.asksForPlain()
		return d
	case r.accept("INDEX"), r.acceptAll("UNIQUE", "INDEX"), r.acceptAll("FULLTEXT", "INDEX"), r.acceptAll("SPATIAL", "INDEX"):
		return r.createIndex()
	case r.accept("USER", "ROLE"), r.acceptAll("OR", "REPLACE", "USER"), r.acceptAll("OR", "REPLACE", "ROLE"):
		return &DDL{Kind: Accounts}
	case r.acceptAll("OR", "REPLACE", "TABLE"), r.acceptAll("OR", "REPLACE", "DATABASE"), r.acceptAll("OR", "REPLACE", "SCHEMA"):
		return r.refuse("CREATE OR REPLACE " + strings.ToUpper(r.tokens[r.pos-1].text)) // MariaDB: a DROP and a CREATE in one.
	}
	return r.object("CREATE")
}

// createIndex reads CREATE INDEX name [USING type] ON table (…).
func (r *reader) createIndex() *DDL {
	if r.conditional("CREATE INDEX") {
		return nil
	}
	r.name("CREATE INDEX")
	if r.accept("USING", "TYPE") {
		r.name("CREATE INDEX")
	}
	if !r.accept("ON") {
		return r.fail(unparsable("a CREATE INDEX"))
	}
	d := &DDL{Kind: CreateIndex, Tables: []Name{r.table("CREATE INDEX")}}
	if !r.peek().isPunct('(') {
		return r.fail(unparsable("a CREATE INDEX"))
	}
	return d
}

// createTable reads CREATE TABLE: by definition, or LIKE another table. CREATE TABLE … SELECT is refused in each of
// its forms; row-based sources never write it: those from 8.0.21 on log a definition with the option START TRANSACTION,
// inside a transaction with the rows; older ones a plain definition, and the rows in a transaction of their own.
func (r *reader) createTable() *DDL {
	d := &DDL{Kind: CreateTable, Idempotent: r.acceptAll("IF", "NOT", "EXISTS")}
	d.Tables = []Name{r.table("CREATE TABLE")}
	if r.accept("LIKE") || r.peek().isPunct('(') && r.pos+1 < len(r.tokens) && r.tokens[r.pos+1].is("LIKE") {
		if r.acceptPunct('(') {
			r.pos++
		}
		d.Tables = append(d.Tables, r.table("CREATE TABLE"))
		r.acceptPunct(')')
		return r.end(d)
	}
	r.opensTransaction(d)
	group := false // Behind an opening parenthesis at depth 0.
	for i, t := range r.tokens[r.pos:] {
		versioned := t.is("WITH") && r.pos+i+1 < len(r.tokens) && r.tokens[r.pos+i+1].is("SYSTEM") // MariaDB's WITH SYSTEM VERSIONING is no query.
		query := t.is("SELECT", "WITH", "TABLE", "VALUES") && !versioned && (t.depth == 0 && !r.option(i) || group)
		if query || t.depth == 0 && (t.is("AS", "IGNORE", "REPLACE")) {
			return r.fail(unsupported("CREATE TABLE … SELECT", notByHand))
		}
		if t.depth == 0 && t.is("UNION") {
			return r.refuse("CREATE TABLE with UNION")
		}
		group = t.isPunct('(') && (t.depth == 0 || group)
	}
	d.Unencrypted = r.asksForPlain()
	return d
}

// opensTransaction finds START TRANSACTION, which the server writes among the table's options:
//
//	CREATE TABLE `s` (…) START TRANSACTION COMMENT='…'
//	CREATE TABLE `s` (…) START TRANSACTION /*!50100 PARTITION BY … */
func (r *reader) opensTransaction(d *DDL) {
	for i := r.pos; i+1 < len(r.tokens); i++ {
		if t := r.tokens[i]; t.depth == 0 && t.is("START") && r.tokens[i+1].is("TRANSACTION") && !r.option(i-r.pos) {
			d.OpensTransaction = true
			d.opens = span{t.at.from, r.tokens[i+1].at.to}
			return
		}
	}
}

// option reports that the token at offset i is the value of an option and not a keyword of the grammar: it comes
// behind an equals sign.
func (r *reader) option(i int) bool {
	at := r.pos + i - 1
	return at >= 0 && r.tokens[at].isPunct('=')
}

// asksForPlain looks for ENCRYPTION [=] 'N' outside of parentheses.
func (r *reader) asksForPlain() bool {
	rest := r.tokens[min(r.pos, len(r.tokens)):]
	for i, t := range rest {
		if !t.is("ENCRYPTION") || t.depth != 0 {
			continue
		}
		i++
		if i < len(rest) && rest[i].isPunct('=') {
			i++
		}
		if i < len(rest) && rest[i].kind == text && strings.EqualFold(rest[i].text, "N") {
			return true
		}
	}
	return false
}

// alter reads ALTER.
func (r *reader) alter() *DDL {
	switch {
	case r.accept("TABLE"):
		return r.alterTable()
	case r.accept("DATABASE", "SCHEMA"):
		return r.alterDatabase()
	case r.accept("USER", "ROLE"):
		return &DDL{Kind: Accounts}
	case r.accept("INSTANCE"):
		// Rotation of keys and the like: each server has its own.
		return &DDL{Kind: Maintenance}
	}
	return r.object("ALTER")
}

// alterDatabase reads ALTER DATABASE [name] option…; without a name it means the default database.
func (r *reader) alterDatabase() *DDL {
	d := &DDL{Kind: AlterDatabase, Idempotent: true, Databases: []string{r.database}}
	// A bare option word here is an option: the four are no reserved words, but a name before an option is always
	// followed by one, and an option by =, a value or SET.
	if !r.databaseOption() {
		d.Databases = []string{r.databaseName("ALTER DATABASE")}
	}
	if d.Databases[0] == "" {
		return r.fail(unparsable("an ALTER DATABASE without a default database"))
	}
	d.Unencrypted = r.asksForPlain()
	return d
}

// databaseOption reports that the next tokens are an option of ALTER DATABASE and not a name.
func (r *reader) databaseOption() bool {
	if r.peek().is("DEFAULT", "CHARACTER", "COLLATE", "READ") {
		return true // Reserved words.
	}
	named := r.pos+1 < len(r.tokens) && r.tokens[r.pos+1].is("DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "ENCRYPTION", "READ")
	return r.peek().is("CHARSET", "ENCRYPTION") && !named
}
