package replicator

import (
	"bytes"
	"strings"
)

// verb is what a QUERY event's statement does to the transaction around it.
type verb uint8

const (
	verbOther verb = iota // DDL and whatever the applier judges.
	verbBegin
	verbCommit
	verbRollback
	verbSavepoint  // SAVEPOINT name
	verbRollbackTo // ROLLBACK TO name
	verbRelease    // RELEASE SAVEPOINT name
	verbXA
	verbDML // A change of rows in statement format.
)

// classify names a statement's verb; name is the savepoint's. The server writes the statements of transaction
// control itself, in one spelling (binlog.cc, sql_class: "BEGIN", "COMMIT", "SAVEPOINT `x`"); the others keep the
// client's text.
func classify(sql []byte) (v verb, name string) {
	if string(sql) == "BEGIN" { // Of each transaction.
		return verbBegin, ""
	}
	first, rest := word(sql)
	switch first {
	case "BEGIN":
		return verbBegin, ""
	case "COMMIT":
		return verbCommit, ""
	case "ROLLBACK":
		if to, rest := word(rest); to == "TO" {
			return verbRollbackTo, savepointName(rest)
		}
		return verbRollback, ""
	case "SAVEPOINT":
		return verbSavepoint, savepointName(rest)
	case "RELEASE":
		_, rest = word(rest)
		return verbRelease, savepointName(rest)
	case "XA":
		return verbXA, ""
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "DO", "SELECT", "VALUES", "TABLE":
		return verbDML, ""
	}
	return verbOther, ""
}

// word takes the first keyword of a statement, in upper case, skipping spaces and comments. The text of a versioned
// comment (/*!50000 …) is statement.
func word(sql []byte) (first string, rest []byte) {
	s := skipBlank(sql)
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_') {
		n++
	}
	return strings.ToUpper(string(s[:min(n, 16)])), s[n:]
}

// skipBlank drops spaces, brackets, comments and the openings of versioned comments from the front.
func skipBlank(s []byte) []byte {
	for len(s) > 0 {
		switch {
		case s[0] <= ' ' || s[0] == '(' || s[0] == ';':
			s = s[1:]
		case bytes.HasPrefix(s, []byte("*/")): // The end of a versioned comment that held nothing.
			s = s[2:]
		case bytes.HasPrefix(s, []byte("/*!")) || bytes.HasPrefix(s, []byte("/*M!")):
			s = bytes.TrimLeft(s[bytes.IndexByte(s, '!')+1:], "0123456789")
		case bytes.HasPrefix(s, []byte("/*")):
			s = behind(s[2:], "*/")
		case s[0] == '#' || bytes.HasPrefix(s, []byte("--")):
			s = behind(s, "\n")
		default:
			return s
		}
	}
	return s
}

// behind is what follows the first end in s; nothing when there is none.
func behind(s []byte, end string) []byte {
	_, rest, _ := bytes.Cut(s, []byte(end))
	return rest
}

// savepointName reads a quoted or plain identifier. Names are compared without case, as the server does.
func savepointName(s []byte) string {
	name := strings.TrimSpace(string(s))
	if len(name) >= 2 && name[0] == '`' && name[len(name)-1] == '`' {
		name = strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return strings.ToLower(name)
}

// dropsTemporary reports DROP TEMPORARY TABLE. The server writes it where a session with such tables ends or rolls
// back (sql_base.cc, "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`"); no replica of ours ever has them.
func dropsTemporary(sql []byte) bool {
	first, rest := word(sql)
	second, _ := word(rest)
	return first == "DROP" && second == "TEMPORARY"
}

// definesTable reports CREATE TABLE, which stands inside a transaction as the first half of CREATE TABLE … SELECT: the
// server writes the definition that it has made of it (sql_show.cc, store_create_info), then the rows.
func definesTable(sql []byte) bool {
	first, rest := word(sql)
	second, _ := word(rest)
	return first == "CREATE" && second == "TABLE"
}

// opening are the words that MySQL from 8.0.21 on writes among the options of such a definition. Older releases, and
// MariaDB, leave them out; the applier knows the definition by them.
const opening = " START TRANSACTION"
