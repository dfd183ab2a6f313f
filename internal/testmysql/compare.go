package testmysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/binseal/binseal/grants"
)

// Compare holds the base tables of the schemas on two servers against each other: the lists of tables, their
// definitions (apart from AUTO_INCREMENT and ENCRYPTION clauses; between servers of different releases, as far as their
// information_schema tells alike), and their rows as multisets, byte for byte: a
// row that is there twice on one side and once on the other is a difference. Without schemas it takes all but the
// servers' own and the control schema.
//
// Nothing may write meanwhile. It returns one line per difference, empty when there is none, and the number of
// rows of a. The servers do the hashing, so memory stays small; a difference never shows a row's values.
func Compare(ctx context.Context, a, b *sql.DB, schemas ...string) (differences []string, rows int64, err error) {
	return new(comparison).compare(ctx, a, b, schemas)
}

// CompareByName is Compare for servers of which b may have columns in another order, or in addition, and other keys: the
// columns of a must be defined alike in b, and the rows be equal in them.
func CompareByName(ctx context.Context, a, b *sql.DB, schemas ...string) (differences []string, rows int64, err error) {
	return (&comparison{byName: true}).compare(ctx, a, b, schemas)
}

func (c *comparison) compare(ctx context.Context, a, b *sql.DB, schemas []string) (differences []string, rows int64, err error) {
	if err := c.open(ctx, a, b); err != nil {
		return nil, 0, errors.Join(err, c.close())
	}
	err = c.run(ctx, schemas)
	return c.differences, c.rows, errors.Join(err, c.close())
}

// comparison is one call of Compare.
type comparison struct {
	conns       [2]*sql.Conn
	mixed       bool    // The servers are of different releases.
	byName      bool    // Of the definitions only the first server's columns are compared, wherever they stand.
	mariadb     [2]bool // Which of them is MariaDB.
	differences []string
	rows        int64
}

// side names a side in a difference.
var side = [2]string{"first", "second"}

// open takes a session on each side in which equal rows read as equal text.
func (c *comparison) open(ctx context.Context, dbs ...*sql.DB) error {
	var releases [2]string
	for i, db := range dbs {
		conn, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("compare, %s server: %w", side[i], err)
		}
		c.conns[i] = conn
		for _, set := range []string{
			"SET NAMES utf8mb4 COLLATE utf8mb4_bin",
			"SET SESSION time_zone = '+00:00', sql_mode = 'NO_ENGINE_SUBSTITUTION'" +
				" /*!80030 , show_gipk_in_create_table_and_information_schema = ON */",
		} {
			if _, err := conn.ExecContext(ctx, set); err != nil {
				return fmt.Errorf("compare, %s server: %w", side[i], err)
			}
		}
		err = conn.QueryRowContext(ctx, "SELECT SUBSTRING_INDEX(VERSION(), '.', 2), VERSION() LIKE '%MariaDB%'").Scan(&releases[i], &c.mariadb[i])
		if err != nil {
			return fmt.Errorf("compare, %s server: %w", side[i], err)
		}
	}
	c.mixed = len(dbs) == 2 && releases[0] != releases[1]
	return nil
}

func (c *comparison) close() error {
	var errs []error
	for _, conn := range c.conns {
		if conn != nil {
			// The session's settings must not come back to the pool's next user.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
			if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (c *comparison) differ(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

func (c *comparison) run(ctx context.Context, schemas []string) error {
	var lists [2][]string
	for i := range lists {
		var err error
		if lists[i], err = c.tables(ctx, i, schemas); err != nil {
			return err
		}
	}
	for _, t := range lists[0] {
		if !slices.Contains(lists[1], t) {
			c.differ("table %s: only on the first server", t)
			continue
		}
		if err := c.table(ctx, t); err != nil {
			return fmt.Errorf("compare %s: %w", t, err)
		}
	}
	for _, t := range lists[1] {
		if !slices.Contains(lists[0], t) {
			c.differ("table %s: only on the second server", t)
		}
	}
	return nil
}

// tables lists quoted names, sorted.
func (c *comparison) tables(ctx context.Context, i int, schemas []string) ([]string, error) {
	query := `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND `
	var args []any
	if len(schemas) == 0 {
		query += `TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', '` + grants.ControlSchema + `')`
	} else {
		query += `TABLE_SCHEMA IN (?` + strings.Repeat(", ?", len(schemas)-1) + `)`
		for _, s := range schemas {
			args = append(args, s)
		}
	}
	rows, err := c.conns[i].QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("compare, tables of the %s server: %w", side[i], err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			return nil, err
		}
		names = append(names, quoteName(schema)+"."+quoteName(table))
	}
	slices.Sort(names)
	return names, rows.Err()
}

// table compares one table that both sides have.
func (c *comparison) table(ctx context.Context, table string) error {
	var definitions [2]string
	for i := range definitions {
		var err error
		if definitions[i], err = c.definition(ctx, i, table); err != nil {
			return err
		}
	}
	if c.byName {
		definitions = sharedColumns(definitions)
	}
	if definitions[0] != definitions[1] {
		c.differ("table %s: definitions differ:\n%s\n%s", table, definitions[0], definitions[1])
		return nil // The rows could not be read alike.
	}
	row, err := c.rowExpression(ctx, table)
	if err != nil {
		return err
	}
	var sums [2]tableSum
	for i := range sums {
		if sums[i], err = c.sum(ctx, i, table, row); err != nil {
			return err
		}
	}
	c.rows += sums[0].rows
	if sums[0] == sums[1] {
		return nil
	}
	return c.explain(ctx, table, row, sums)
}

// volatileClauses are parts of a definition that may differ between equal tables. A comment that held such text
// would be ignored too, on both sides.
var volatileClauses = regexp.MustCompile(` AUTO_INCREMENT=\d+| /\*!80016 (DEFAULT )?ENCRYPTION='[YN]' \*/| ENCRYPTION='[YN]'`)

func (c *comparison) definition(ctx context.Context, i int, table string) (string, error) {
	if c.mixed || c.byName {
		return c.commonDefinition(ctx, i, table)
	}
	var name, text string
	if err := c.conns[i].QueryRowContext(ctx, "SHOW CREATE TABLE "+table).Scan(&name, &text); err != nil {
		return "", err
	}
	return volatileClauses.ReplaceAllString(text, ""), nil
}

// rowExpression is SQL for a hash over all columns of a row: 64 hex digits. Each column becomes text that has no
// comma, and NULL becomes N, which no column's text is.
func (c *comparison) rowExpression(ctx context.Context, table string) (string, error) {
	rows, err := c.conns[0].QueryContext(ctx, `SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE `+thisTable+
		` ORDER BY ORDINAL_POSITION`, table)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var columns, documents []string
	for rows.Next() {
		var name, dataType string
		if err := rows.Scan(&name, &dataType); err != nil {
			return "", err
		}
		columns = append(columns, "COALESCE("+columnText(quoteName(name), strings.ToLower(dataType))+", 'N')")
		if strings.EqualFold(dataType, "json") {
			documents = append(documents, quoteName(name))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return "", err
	}
	if len(columns) == 0 {
		return "", errors.New("no columns")
	}
	for _, column := range documents {
		types, err := c.jsonTypes(ctx, table, column)
		if err != nil {
			return "", err
		}
		columns = append(columns, types...)
	}
	return "SHA2(CONCAT_WS(',', " + strings.Join(columns, ", ") + "), 256)", nil
}

// columnText is an expression that gives different text for different values of a column.
func columnText(column, dataType string) string {
	switch dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year", "date", "time", "datetime", "timestamp":
		return "CAST(" + column + " AS CHAR)"
	case "bit", "enum", "set": // The number behind it: also the error value '' of an ENUM shows.
		return "CAST(CAST(" + column + " AS UNSIGNED) AS CHAR)"
	case "float", "double": // A FLOAT as text has 6 digits only; as a DOUBLE it has all. Times one keeps -0; plus zero would not.
		return "CAST(" + column + " * 1e0 AS CHAR)"
	case "json": // What the server would show; jsonTypes adds what the text does not tell.
		return "SHA2(CAST(" + column + " AS CHAR CHARACTER SET utf8mb4), 256)"
	default: // Strings, blobs, geometries, vectors: the stored bytes.
		return "SHA2(CAST(" + column + " AS BINARY), 256)"
	}
}

// tableSum is equal for equal multisets of rows. Hashes are added, not XORed: a row that is there twice counts
// twice.
type tableSum struct {
	rows      int64
	high, low string
}

func (c *comparison) sum(ctx context.Context, i int, table, row string) (tableSum, error) {
	var s tableSum
	err := c.conns[i].QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(h, 16), 16, 10) AS UNSIGNED)), 0),
		COALESCE(SUM(CAST(CONV(RIGHT(h, 16), 16, 10) AS UNSIGNED)), 0)
		FROM (SELECT `+row+` AS h FROM `+table+`) AS hashed`).Scan(&s.rows, &s.high, &s.low)
	if err != nil {
		return s, fmt.Errorf("sum of the %s server: %w", side[i], err)
	}
	return s, nil
}

// explain says by how many rows a table differs: it merges both sides' sorted hashes.
func (c *comparison) explain(ctx context.Context, table, row string, sums [2]tableSum) error {
	var streams [2]*hashStream
	for i := range streams {
		rows, err := c.conns[i].QueryContext(ctx, `SELECT h, COUNT(*) FROM (SELECT `+row+` AS h FROM `+table+
			`) AS hashed GROUP BY h ORDER BY h`)
		if err != nil {
			return err
		}
		defer rows.Close()
		streams[i] = &hashStream{rows: rows}
	}
	var more [2]int64 // Rows that a side has more of.
	a, b := streams[0], streams[1]
	a.next()
	b.next()
	for a.ok || b.ok {
		switch {
		case !b.ok || a.ok && a.hash < b.hash:
			more[0] += a.count
			a.next()
		case !a.ok || b.hash < a.hash:
			more[1] += b.count
			b.next()
		default:
			more[0] += max(0, a.count-b.count)
			more[1] += max(0, b.count-a.count)
			a.next()
			b.next()
		}
	}
	if err := errors.Join(a.err, b.err); err != nil {
		return err
	}
	c.differ("table %s: %d and %d rows; %d only on the first server, %d only on the second",
		table, sums[0].rows, sums[1].rows, more[0], more[1])
	return nil
}

// hashStream reads (hash, count) pairs.
type hashStream struct {
	rows  *sql.Rows
	hash  string
	count int64
	ok    bool
	err   error
}

func (s *hashStream) next() {
	if s.ok = s.rows.Next(); s.ok {
		s.err = s.rows.Scan(&s.hash, &s.count)
		s.ok = s.err == nil
		return
	}
	s.err = s.rows.Err()
}
