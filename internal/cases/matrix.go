package cases

import (
	"fmt"
	"slices"
	"strings"
)

// cell is a place of the tables in docs/compatibility.md: the cases that show it, of which those count that are there
// and run on the source.
type cell struct {
	source string
	cases  []string
}

// line is a row of such a table.
type line struct {
	name  string
	cells []cell
}

// Rows with a column of each type, under the images that a session may choose.
var (
	partialImages = []string{"image-minimal-types", "image-noblob-types"}
	partialKeys   = []string{"image-minimal-keys", "image-noblob-keys"}
	compressed    = []string{"image-compressed-types"}
)

// typeLines are the lines of types by row image and source; all of the first list that run on a source stand in its
// column.
var typeLines = []struct {
	name    string
	full    []string
	partial []string
	packed  []string
}{
	{"integers, BIT", []string{"types-integers", "types-bit", "image-v1", "refuse-signedness"}, partialImages, compressed},
	{"DECIMAL, FLOAT, DOUBLE", []string{"types-decimal", "types-float", "keys-float-pk"}, partialImages, compressed},
	{"DATE, DATETIME, TIME, YEAR", []string{"types-datetime", "types-time", "types-year", "types-zero-dates", "mariadb-old-temporal", "mariadb-refuse-old-fraction", "refuse-year2"}, partialImages, compressed},
	{"TIMESTAMP", []string{"types-timestamp", "types-timestamp-zones", "types-timestamp-implicit"}, partialImages, append(compressed, "types-timestamp-compressed")},
	{"CHAR, VARCHAR, TEXT", []string{"types-unicode", "types-latin1", "charset-multibyte", "charset-single-byte", "charset-wide"}, partialImages, compressed},
	{"BINARY, VARBINARY, BLOB", []string{"types-binary", "types-lobs", "types-row-17mb", "keys-binary-padding", "mariadb-uuid", "mariadb-columns-compressed"}, partialImages, compressed},
	{"ENUM, SET", []string{"types-enum-set", "types-enum-many", "types-enum-numeric", "types-enum-zero", "keys-enum-zero"}, partialImages, compressed},
	{"GEOMETRY and its kinds", []string{"types-geometry", "types-spatial", "types-geometry-plain", "mariadb-geometry"}, partialImages, compressed},
	{"JSON", []string{"json-scalars", "json-typed", "json-opaque", "json-large", "json-partial", "refuse-json-tinyblob"}, append(partialImages, "json-partial-minimal", "json-partial-noblob", "refuse-json-partial-diverged"),
		append(compressed, "json-partial-compressed")},
	{"VECTOR", []string{"types-vector", "refuse-vector-empty"}, partialImages, compressed},
	{"generated, invisible and hidden key columns", []string{"keys-generated", "keys-invisible", "keys-generated-proved", "ddl-gipk", "refuse-generated-zone", "refuse-generated-session", "mariadb-refuse-generated"}, partialKeys, nil},
	{"rows without a key", []string{"keys-keyless-all-types", "keys-keyless-duplicates", "keys-keyless-collation"}, append(partialImages, "image-minimal"), compressed},
	{"keys under a collation, prefix keys", []string{"keys-collation-pk", "keys-prefix", "keys-unique-collation", "keys-collation-old"}, partialKeys, nil},
	{"columns in another order on the target, or in addition", []string{"target-column-order", "target-column-order-types", "target-column-extra", "target-keyless-extra-pk", "refuse-target-no-default", "refuse-column-order"},
		[]string{"target-column-order-minimal-image"}, nil},
	{"foreign keys with cascades", []string{"fk-cascade", "fk-deep", "fk-set-null", "fk-self", "fk-levels", "fk-update-levels", "fk-update-two-levels"}, partialKeys, nil},
}

// statementLines are the lines of statements by source.
var statementLines = []struct {
	name  string
	cases []string
}{
	{"columns, keys and foreign keys", []string{"ddl-alter-columns", "ddl-alter-many", "ddl-keys", "ddl-foreign-keys", "fk-altered", "mariadb-ddl-forms", "mariadb-refuse-if-exists"}},
	{"RENAME, swaps", []string{"ddl-rename-swap", "ddl-rename-three", "ddl-rename-chain", "ddl-ghost-swap"}},
	{"CREATE, DROP, TRUNCATE, databases", []string{"ddl-truncate-drop", "ddl-drop-many", "ddl-create-like-options", "ddl-databases", "mariadb-refuse-or-replace"}},
	{"CREATE TABLE … SELECT", []string{"ddl-ctas", "ddl-ctas-kinds", "ddl-ctas-by-position"}},
	{"partitions", []string{"ddl-partitions", "ddl-partition-kinds", "ddl-exchange-partition", "refuse-exchange-partition"}},
	{"the session behind a statement", []string{"ddl-context", "ddl-client-charset", "ddl-zone", "ddl-sql-mode-old", "refuse-sql-mode"}},
	{"comments, odd names, failed statements", []string{"ddl-comments", "ddl-versioned", "names-special", "names-odd", "ddl-failed"}},
	{"temporary tables", []string{"ddl-temporary"}},
	{"views and routines", []string{"ddl-views-routines", "ddl-view-default-database", "routine-rows"}},
	{"triggers and events, held until cutover", []string{"ddl-trigger-held", "txn-triggers-deep"}},
	{"accounts, maintenance", []string{"ddl-accounts", "ddl-maintenance"}},
	{"tablespaces, other engines", []string{"refuse-tablespace", "refuse-myisam", "mariadb-refuse-aria"}},
	{"routed names", []string{"route-ddl", "route-swap", "route-refuse-view"}},
	{"XA", []string{"xa-commit", "xa-rollback", "xa-restart", "txn-xa-plain"}},
	{"kills of the daemon in between", []string{"ddl-restart", "txn-restart", "fk-restart"}},
}

// Matrix writes the tables "at a glance" of docs/compatibility.md from the cases: each cell holds those that run on
// the source of its column, and what comes of them. A cell without any says so.
func Matrix(all []Case) string {
	known := map[string]Case{}
	for _, c := range all {
		known[c.Name] = c
	}
	lines := []line{}
	for _, l := range typeLines {
		lines = append(lines, line{l.name, []cell{{"mysql", l.full}, {"mysql", l.partial}, {"mysql", l.packed}, {"mysql56", l.full}, {"mariadb", l.full}}})
	}
	var b strings.Builder
	b.WriteString("| what | FULL, MySQL 9.7 | MINIMAL, NOBLOB | compressed | MySQL 5.6 | MariaDB 10.11 |\n|---|---|---|---|---|---|\n")
	table(&b, known, lines)
	lines = nil
	for _, l := range statementLines {
		lines = append(lines, line{l.name, []cell{{"mysql", l.cases}, {"mysql56", l.cases}, {"mariadb", l.cases}}})
	}
	b.WriteString("\n| statement | MySQL 9.7 | MySQL 5.6 | MariaDB 10.11 |\n|---|---|---|---|\n")
	table(&b, known, lines)
	return b.String()
}

func table(b *strings.Builder, known map[string]Case, lines []line) {
	for _, l := range lines {
		fmt.Fprintf(b, "| %s |", l.name)
		for _, c := range l.cells {
			fmt.Fprintf(b, " %s |", c.text(known))
		}
		b.WriteByte('\n')
	}
}

// text is "carried: …; refused, CODE: …", or a dash where no case shows anything.
func (c cell) text(known map[string]Case) string {
	var carried, parts []string
	for _, name := range c.cases {
		found, ok := known[name]
		switch {
		case !ok || !slices.Contains(found.Sources, c.source):
		case found.Refuse != "":
			parts = append(parts, "refused, "+found.Refuse+": `"+name+"`")
		default:
			carried = append(carried, "`"+name+"`")
		}
	}
	if len(carried) > 0 {
		parts = append([]string{"carried: " + strings.Join(carried, ", ")}, parts...)
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, "; ")
}
