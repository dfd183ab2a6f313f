package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/binseal/binseal/change"
)

// Versions in MySQL's comments that MariaDB does not execute, since features of those versions differ (MariaDB's
// sql_lex.cc, "/*!50700" to "/*!99999").
const mysqlOnlyFrom, mysqlOnlyTo = 50700, 99999

// FromMariaDB writes a statement of MariaDB as what MySQL is to execute. release is that of the MariaDB source, 101118
// for 10.11.18. Two things have another meaning there without any error that would tell:
//
//   - Comments for one of the two. What MariaDB executed, /*!40101 … */, /*!100301 … */ and /*M! … */, becomes part of
//     the statement; what it did not, /*!80013 … */ and /*!999999 … */, goes.
//   - The type JSON, which is LONGTEXT in utf8mb4_bin there: the text stays as it was written, and its rows come as
//     text. It becomes that.
//
// And some words say the same in other words, or how the source should go about it: PERSISTENT becomes STORED, an
// ALGORITHM or LOCK the default one, and what heads finds goes. What MySQL does not know at all stays, and MySQL refuses it.
func FromMariaDB(st *change.Statement, release int) (string, error) {
	sql, err := withoutVersions(st.SQL, sqlMode(st), release)
	if err != nil {
		return "", unparsable("a statement")
	}
	tokens, err := scan(sql, sqlMode(st))
	if err != nil {
		return sql, nil //nolint:nilerr // ParseDDL refuses what cannot be read.
	}
	cuts, tokens := heads(tokens)
	edits := make([]edit, 0, len(cuts))
	for _, at := range cuts {
		edits = append(edits, edit{at, ""})
	}
	if len(tokens) > 1 && tokens[0].is("CREATE", "ALTER") && tokens[1].is("TABLE", "ONLINE") {
		edits = append(edits, columnWords(tokens)...)
	}
	edits = append(edits, algorithms(tokens)...)
	slices.SortFunc(edits, func(x, y edit) int { return x.at.from - y.at.from })
	var b strings.Builder
	done := 0
	for _, e := range edits {
		b.WriteString(sql[done:e.at.from] + e.with)
		done = e.at.to
	}
	return b.String() + sql[done:], nil
}

// edit is a piece of a statement that is written otherwise.
type edit struct {
	at   span
	with string
}

// columnWords are the words of column definitions that MySQL has others for.
func columnWords(tokens []token) (edits []edit) {
	for i, t := range tokens[1:] {
		switch {
		case t.is("JSON") && isType(tokens[:i+1]):
			edits = append(edits, edit{t.at, "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"})
		case t.is("PERSISTENT") && tokens[i].isPunct(')'): // c INT AS (a+1) PERSISTENT
			edits = append(edits, edit{t.at, "STORED"})
		}
	}
	return edits
}

// algorithms are demands on how the source makes a change, ALGORITHM=NOCOPY, LOCK=NONE. A target that can make it in another
// way only would refuse it (MariaDB moves columns in place, MySQL does not).
func algorithms(tokens []token) (edits []edit) {
	for i, t := range tokens {
		if t.depth > 0 || !t.is("ALGORITHM", "LOCK") || i+1 >= len(tokens) || !tokens[0].is("ALTER", "CREATE", "DROP") {
			continue
		}
		value := tokens[i+1]
		if value.isPunct('=') && i+2 < len(tokens) {
			value = tokens[i+2]
		}
		if value.is("INSTANT", "INPLACE", "NOCOPY", "COPY", "NONE", "SHARED", "EXCLUSIVE") {
			edits = append(edits, edit{value.at, "DEFAULT"})
		}
	}
	return edits
}

// heads finds what only tells how the source should go about a statement:
//
//	SET STATEMENT lock_wait_timeout=1 FOR ALTER TABLE t …    what matters of it is in the event's session
//	ALTER ONLINE TABLE t …
//	ALTER TABLE t WAIT 5 …, RENAME TABLE t NOWAIT TO u, TRUNCATE t WAIT 5, DROP INDEX i ON t NOWAIT
//
// rest are the tokens behind SET STATEMENT.
func heads(tokens []token) (cuts []span, rest []token) {
	if len(tokens) > 1 && tokens[0].is("SET") && tokens[1].is("STATEMENT") {
		if end := slices.IndexFunc(tokens, func(t token) bool { return t.is("FOR") && t.depth == 0 }); end > 0 {
			cuts = append(cuts, span{tokens[0].at.from, tokens[end].at.to})
			tokens = tokens[end+1:]
		}
	}
	if len(tokens) < 3 || !tokens[0].is("ALTER", "RENAME", "TRUNCATE", "CREATE", "DROP") {
		return cuts, tokens
	}
	if tokens[0].is("ALTER") && tokens[1].is("ONLINE") {
		cuts = append(cuts, tokens[1].at)
	}
	for i, t := range tokens {
		last := i+1 == len(tokens)
		switch {
		case i < 2 || t.depth > 0 || !namesEnd(tokens[i-1]):
		case t.is("WAIT") && !last && strings.Trim(tokens[i+1].text, "0123456789") == "" && tokens[i+1].kind == word:
			cuts = append(cuts, span{t.at.from, tokens[i+1].at.to})
		case t.is("NOWAIT") && (last && !tokens[0].is("ALTER") || !last && (tokens[i+1].is("TO") || behindTable(tokens, i))):
			cuts = append(cuts, t.at)
		}
	}
	return cuts, tokens
}

// behindTable reports that token i stands behind the table's name of an ALTER TABLE, where its actions begin.
func behindTable(tokens []token, i int) bool {
	at := slices.IndexFunc(tokens, func(t token) bool { return t.is("TABLE") }) + 2
	if at < len(tokens) && tokens[at].isPunct('.') {
		at += 2
	}
	return tokens[0].is("ALTER") && i == at
}

// namesEnd reports that a name may end with the token, so that the next one is none: a table may be called nowait.
func namesEnd(t token) bool {
	return t.kind == quoted || t.isPunct(')') || t.kind == word && !t.is("TABLE", "TABLES", "TRUNCATE", "ON", "TO", "INDEX", "ADD", "DROP", "COLUMN", "EXISTS", "CHANGE", "MODIFY")
}

// isType reports whether the word behind these tokens can be a column's type: a name stands before it. Where a column
// is called json and looks like one, the statement that comes out is none, and the target refuses it.
func isType(before []token) bool {
	last := before[len(before)-1]
	if last.kind == quoted {
		return len(before) < 2 || !before[len(before)-2].is("REFERENCES", "CONSTRAINT", "TABLE")
	}
	return last.kind == word && !last.is("COLUMN", "ADD", "MODIFY", "CHANGE", "DROP", "AFTER", "EXISTS", "KEY", "INDEX", "UNIQUE", "TO", "BY", "CONSTRAINT",
		"REFERENCES", "PARTITION", "TABLE", "LIKE", "RENAME", "ALTER", "CHECK", "FULLTEXT")
}

// withoutVersions resolves versioned comments as MariaDB's lexer does.
func withoutVersions(sql string, mode uint64, release int) (string, error) {
	if !strings.Contains(sql, "/*!") && !strings.Contains(sql, "/*M!") {
		return sql, nil
	}
	s := &scanner{sql: sql, mode: mode}
	var b strings.Builder
	inside := false // A comment that was executed.
	for s.pos < len(sql) {
		rest := sql[s.pos:]
		executed, opener := versioned(rest, release)
		switch {
		case opener > 0 && executed && !inside:
			inside = true
			s.pos += opener
			b.WriteByte(' ')
		case inside && strings.HasPrefix(rest, "*/"):
			inside = false
			s.pos += 2
			b.WriteByte(' ')
		case opener > 0 && !executed:
			end, err := commentEnd(rest)
			if err != nil {
				return "", err
			}
			s.pos += end
			b.WriteByte(' ')
		case opener > 0: // A comment that is executed, inside another: nobody writes that.
			return "", errUnterminated
		default:
			from := s.pos
			if err := s.step(); err != nil {
				return "", err
			}
			b.WriteString(sql[from:s.pos])
		}
	}
	if inside {
		return "", errUnterminated
	}
	return b.String(), nil
}

// versioned looks at the opening of a versioned comment: its length, 0 when there is none, and whether the release
// executes it.
func versioned(s string, release int) (executed bool, opener int) {
	own := strings.HasPrefix(s, "/*M!")
	if !own && !strings.HasPrefix(s, "/*!") {
		return false, 0
	}
	opener = strings.IndexByte(s, '!') + 1
	digits := 0
	for digits < 6 && opener+digits < len(s) && s[opener+digits] >= '0' && s[opener+digits] <= '9' {
		digits++
	}
	if digits < 5 { // They belong to the content.
		return true, opener
	}
	version, _ := strconv.Atoi(s[opener : opener+digits])
	executed = version <= release && (own || version < mysqlOnlyFrom || version > mysqlOnlyTo)
	return executed, opener + digits
}

// commentEnd is the length of a comment that is not executed; one comment may be inside it.
func commentEnd(s string) (int, error) {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			i++
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, errUnterminated
}

// inlineReferences refuses a foreign key that is written with its column. MariaDB makes one of it; MySQL does since
// 9.0, and before it reads over it: cascades would be missing.
func (r *reader) inlineReferences(d *DDL) {
	if d == nil || d.Kind != CreateTable && d.Kind != AlterTable {
		return
	}
	open := 0 // FOREIGN KEYs that have not met their REFERENCES.
	for i, t := range r.tokens {
		switch {
		case t.is("FOREIGN") && i+1 < len(r.tokens) && r.tokens[i+1].is("KEY") && !(i > 0 && r.tokens[i-1].is("DROP")):
			open++
		case t.is("REFERENCES"):
			open--
		}
	}
	if open < 0 {
		r.fail(unsupported("a foreign key that is written with its column (column … REFERENCES …), which MySQL before 9.0 reads over,",
			"write it as FOREIGN KEY (…) REFERENCES … by a rule of action rewrite (ddl.rules)"))
	}
}
