package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
)

// StorageIDs is a hash, in hexadecimal, of what InnoDB keeps about tables and their partitions: table and tablespace
// ids, and the numbers of columns and of row versions. It tells whether a statement ran that leaves definitions as they
// were (DDL.ByIDs). Measured on 9.7: EXCHANGE PARTITION swaps the ids of partition and table, a rebuild gives new
// ones, an INSTANT change of columns counts a row version. Nothing else moves them, neither rows nor a restart.
//
// seen is false when not every table could be found there: tables are known in INNODB_TABLES by their files' names,
// which are only derived here from names in ASCII. An account without PROCESS gets no rows or an error 1227.
func StorageIDs(ctx context.Context, q Querier, tables []Name) (ids string, seen bool, err error) {
	sum := sha256.New()
	for _, t := range tables {
		name, ok := fileName(t)
		if !ok {
			return "", false, nil
		}
		found := false
		err := each(ctx, q, storageQuery, []any{name, name, name}, func(rows *sql.Rows) error {
			found = true
			texts, err := scanTexts(rows)
			add(sum, texts...)
			return err
		})
		if err != nil {
			return "", false, fmt.Errorf("storage of table %s: %w", t, err)
		}
		if !found {
			return "", false, nil
		}
		add(sum, "end of "+name)
	}
	return hex.EncodeToString(sum.Sum(nil)), true, nil
}

// storageQuery finds a table and its partitions: `shop/t`, `shop/t#p#p0`. A # that is not encoded begins nothing else.
// All columns are taken, since releases differ in them.
const storageQuery = `/* binseal schema */ SELECT * FROM information_schema.INNODB_TABLES
WHERE CAST(NAME AS BINARY) = CAST(? AS BINARY) OR LEFT(CAST(NAME AS BINARY), LENGTH(?) + 1) = CAST(CONCAT(?, '#') AS BINARY)
ORDER BY CAST(NAME AS BINARY)`

// scanTexts reads a row of any columns; NULL is "NULL", which no number is.
func scanTexts(rows *sql.Rows) ([]string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	texts := make([]string, len(cells))
	for i, c := range cells {
		if texts[i] = c.String; !c.Valid {
			texts[i] = "NULL"
		}
	}
	return texts, nil
}

// fileName is a table's name in InnoDB (sql_table.cc, tablename_to_filename): letters, digits and _ as they are, other
// characters of ASCII as @ and four hexadecimal digits. Other characters have codes of their own: false.
func fileName(t Name) (string, bool) {
	var b strings.Builder
	for _, part := range []string{t.Schema, "/", t.Table} {
		if part == "/" {
			b.WriteString(part)
			continue
		}
		for _, r := range part {
			switch {
			case r >= 0x80:
				return "", false
			case r == '_', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
				b.WriteRune(r)
			default:
				fmt.Fprintf(&b, "@%04x", r)
			}
		}
	}
	return b.String(), true
}
