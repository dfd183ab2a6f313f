package schema

import (
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
// What MySQL does not know at all stays, and MySQL refuses it.
func FromMariaDB(st *change.Statement, release int) (string, error) {
	sql, err := withoutVersions(st.SQL, sqlMode(st), release)
	if err != nil {
		return "", unparsable("a statement")
	}
	tokens, err := scan(sql, sqlMode(st))
	if err != nil || len(tokens) < 2 || !tokens[0].is("CREATE", "ALTER") || !tokens[1].is("TABLE") {
		return sql, nil //nolint:nilerr // ParseDDL refuses what cannot be read.
	}
	var b strings.Builder
	done := 0
	for i, t := range tokens[1:] {
		if t.is("JSON") && isType(tokens[:i+1]) {
			b.WriteString(sql[done:t.at.from] + "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
			done = t.at.to
		}
	}
	return b.String() + sql[done:], nil
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
