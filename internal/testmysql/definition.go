package testmysql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// SHOW CREATE TABLE tells all of a definition, and tells it in each release's own words: `int(11)` is `int` since
// 8.0.19, `utf8` is `utf8mb3`, a default character set is named or is not. Between servers of one release the words
// are held against each other; between others, what the information_schema says, in the newest words.

// definitionParts are what a definition consists of, a query each, for one table. A part's columns become one line.
// Left out is what the releases do not have in common or choose for themselves: the row format, AUTO_INCREMENT,
// statistics, visibility, encryption; and the default of a primary key's column, which before 5.7 is 0 or ” where none is
// written.
var definitionParts = []struct{ what, query string }{
	{"table", `SELECT ENGINE, TABLE_COLLATION, TABLE_COMMENT FROM information_schema.TABLES WHERE @t`},
	{"column", `SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, IF(COLUMN_KEY = 'PRI', NULL, COLUMN_DEFAULT), EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, COLUMN_COMMENT
		FROM information_schema.COLUMNS WHERE @t ORDER BY ORDINAL_POSITION`},
	{"key", `SELECT INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, NON_UNIQUE, INDEX_TYPE, INDEX_COMMENT
		FROM information_schema.STATISTICS WHERE @t ORDER BY INDEX_NAME, SEQ_IN_INDEX`},
	{"foreign key", `SELECT k.CONSTRAINT_NAME, k.ORDINAL_POSITION, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME,
		k.REFERENCED_COLUMN_NAME, r.UPDATE_RULE, r.DELETE_RULE
		FROM (SELECT * FROM information_schema.KEY_COLUMN_USAGE WHERE @t AND REFERENCED_TABLE_NAME IS NOT NULL) k
		JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
		ORDER BY 1, 2`},
	{"partition", `SELECT PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, SUBPARTITION_METHOD, PARTITION_EXPRESSION, SUBPARTITION_EXPRESSION,
		PARTITION_DESCRIPTION, PARTITION_COMMENT FROM information_schema.PARTITIONS WHERE @t AND PARTITION_NAME IS NOT NULL
		ORDER BY PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION`},
}

// thisTable holds in the information_schema for the table whose quoted name is the argument, whatever its characters.
// Before 8.0 the schema's own comparison is without case, whatever lower_case_table_names is.
const thisTable = "CAST(CONCAT('`', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(TABLE_NAME, '`', '``'), '`') AS BINARY) = ?"

// commonDefinition is a table's definition in the words that all releases share.
func (c *comparison) commonDefinition(ctx context.Context, i int, table string) (string, error) {
	var text strings.Builder
	for _, part := range definitionParts {
		rows, err := queryText(ctx, c.conns[i], strings.ReplaceAll(part.query, "@t", thisTable), table)
		if err != nil {
			return "", fmt.Errorf("definition, %s: %w", part.what, err)
		}
		for _, row := range rows {
			fmt.Fprintf(&text, "%s", part.what)
			for _, word := range row {
				if c.mariadb[i] {
					word = fromMariaDB(part.what, word)
				}
				fmt.Fprintf(&text, " | %s", commonWords(part.what, word))
			}
			text.WriteString("\n")
		}
	}
	return text.String(), nil
}

// sharedColumns leaves of two common definitions the lines of columns, sorted, and of the second only those whose names
// the first has, whatever their case.
func sharedColumns(definitions [2]string) (columns [2]string) {
	first := map[string]bool{}
	for i := range definitions {
		var lines []string
		for line := range strings.Lines(definitions[i]) {
			column, is := strings.CutPrefix(line, "column | ")
			name, rest, _ := strings.Cut(column, " | ")
			if name = strings.ToLower(name); is && (i == 0 || first[name]) {
				first[name] = true
				lines = append(lines, name+" | "+rest)
			}
		}
		slices.Sort(lines)
		columns[i] = strings.Join(lines, "")
	}
	return columns
}

// displayWidth is the width of an integer or a YEAR, which is gone since 8.0.19 except from TINYINT(1) and ZEROFILL.
var displayWidth = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|bigint|year)\(\d+\)`)

// oldUTF8 is the old name of utf8mb3, also in a collation's.
var oldUTF8 = regexp.MustCompile(`^utf8(_\w+)?$`)

// commonWords puts one word of a definition into the newest server's spelling.
func commonWords(what, word string) string {
	switch what {
	case "table", "column":
		word = oldUTF8.ReplaceAllString(word, "utf8mb3$1")
	case "foreign key":
		if word == "RESTRICT" {
			return "NO ACTION" // One and the same in InnoDB; which of them is the default's name has changed.
		}
	case "partition":
		if word == "NULL" { // MariaDB has an empty expression or comment where MySQL has none, and the reverse.
			return ""
		}
		return strings.ReplaceAll(word, "`", "")
	}
	if what != "column" {
		return word
	}
	if !strings.HasSuffix(word, "zerofill") && !strings.HasPrefix(word, "tinyint(1)") {
		word = displayWidth.ReplaceAllString(word, "$1")
	}
	word = strings.TrimSpace(strings.TrimPrefix(word, "DEFAULT_GENERATED"))
	return strings.NewReplacer("geomcollection", "geometrycollection", "on update ", "ON UPDATE ").Replace(word)
}

// now is CURRENT_TIMESTAMP as MariaDB writes it, with its digits.
var now = regexp.MustCompile(`current_timestamp\((\d*)\)`)

// mariadbRemark is what MariaDB writes behind a type, as a comment: that it is stored in another way.
var mariadbRemark = regexp.MustCompile(` /\*(M!\d+ COMPRESSED| mariadb-5\.3 )\*/$`)

// fromMariaDB puts a word of MariaDB's information_schema into MySQL's: there a default is an expression, so that a
// string has its quotes.
func fromMariaDB(what, word string) string {
	switch {
	case what != "column":
		return word
	case len(word) >= 2 && strings.HasPrefix(word, "'") && strings.HasSuffix(word, "'"):
		return strings.NewReplacer("''", "'", `\\`, `\`).Replace(word[1 : len(word)-1])
	}
	word = mariadbRemark.ReplaceAllString(word, "")
	return strings.ReplaceAll(now.ReplaceAllString(word, "CURRENT_TIMESTAMP($1)"), "CURRENT_TIMESTAMP()", "CURRENT_TIMESTAMP")
}
