package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// keysQuery: one row per part of a unique key. CARDINALITY is left out: it would open the table for statistics. Keys that the
// optimizer may not use come last (MySQL 8.0 and later; MariaDB passes over such a comment): statements name the identity's index,
// and there is a visible one wherever there is one at all (MySQL manual, "Invisible Indexes").
const keysQuery = `/* binseal schema */ SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), COALESCE(SUB_PART, 0)
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0
ORDER BY INDEX_NAME <> 'PRIMARY', /*!80000 IS_VISIBLE <> 'YES', */ INDEX_NAME, SEQ_IN_INDEX`

// expressionsQuery: one row per part over an expression. The column EXPRESSION is there since 8.0.13, as such parts are.
const expressionsQuery = `/* binseal schema */ SELECT INDEX_NAME, EXPRESSION
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 AND COLUMN_NAME IS NULL`

// key takes a part of a unique key into Secondary, the primary key's first; classify sorts them out. A part over an
// expression, multi-valued ones included, has no column name.
func (r *reading) key(rows *sql.Rows) error {
	var key, column string
	var part KeyPart
	if err := rows.Scan(&key, &column, &part.Prefix); err != nil {
		return err
	}
	t := r.table
	part.Column = slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
	if column != "" && part.Column < 0 {
		return fmt.Errorf("key %s has a part over a column that is not in the table", QuoteName(key))
	}
	r.expressions = r.expressions || column == ""
	last := len(t.Secondary) - 1
	if last < 0 || t.Secondary[last].Name != key {
		t.Secondary = append(t.Secondary, &Key{Name: key})
		last++
	}
	t.Secondary[last].Parts = append(t.Secondary[last].Parts, part)
	return nil
}

// loadExpressions finds the keys with a part that reads the session's time zone.
func (c *Catalog) loadExpressions(ctx context.Context, t *Table) error {
	return each(ctx, c.q, expressionsQuery, []any{t.Schema, t.Name}, func(rows *sql.Rows) error {
		var key, expression string
		if err := rows.Scan(&key, &expression); err != nil {
			return err
		}
		for _, k := range t.Secondary {
			k.ZoneBound = k.ZoneBound || k.Name == key && ReadsZone(t, expression)
		}
		return nil
	})
}

// docID is the name of a column by which InnoDB's FULLTEXT indexes number a table's rows where it is the table's own (MySQL
// manual, "InnoDB Full-Text Index Document ID"; error 182).
const docID = "FTS_DOC_ID"

// classify finds the identity among the unique keys and sets the class (DESIGN.md §2): a table without an identity,
// or with a unique key that cannot be weighed, travels ordered. When in doubt: ordered. Slow, never wrong.
func classify(t *Table) {
	if slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == docID }) {
		t.Class, t.OrderedWhy = Ordered, "a column "+QuoteName(docID)+", in whose numbers InnoDB takes no step back, so that no row can be deleted and inserted again"
	}
	for _, k := range t.Secondary {
		k.NotNull = !slices.ContainsFunc(k.Parts, func(p KeyPart) bool {
			return p.Column < 0 || t.Columns[p.Column].Nullable
		})
		why := unweighed(t, k)
		k.Weighed = why == ""
		if !k.Weighed && t.OrderedWhy == "" {
			t.Class, t.OrderedWhy = Ordered, fmt.Sprintf("unique key %s: %s", QuoteName(k.Name), why)
		}
	}
	if at := identity(t); at >= 0 {
		t.Identity = t.Secondary[at]
		t.Secondary = slices.Delete(t.Secondary, at, at+1)
		return
	}
	t.Class, t.OrderedWhy = Ordered, "no primary key, and no unique key of whole NOT NULL columns"
}

// identity is the index of the key by which rows are found; -1 when there is none. A primary key is one also with
// prefix parts: it is unique, and a row that differs behind the prefix only is the same row. None is a key with a part
// that row images do not show.
func identity(t *Table) int {
	return slices.IndexFunc(t.Secondary, func(k *Key) bool {
		shown := !slices.ContainsFunc(k.Parts, func(p KeyPart) bool { return p.Column < 0 })
		return k.Name == "PRIMARY" && shown || k.NotNull && k.Whole()
	})
}

// unweighed says why a key's values cannot be compared in this process as the server compares them; "" when they can.
// Generated columns are in the row images and count as any other.
func unweighed(t *Table, k *Key) string {
	for _, p := range k.Parts {
		if p.Column < 0 {
			return "a part is not in the row images: an expression, or a column that only the target has"
		}
		c := t.Columns[p.Column]
		switch c.DataType {
		case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year",
			"date", "time", "datetime", "timestamp", "enum", "set",
			"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
			if _, ok := Weigher(c.CollationID); !ok {
				return fmt.Sprintf("column %s has collation %s, whose comparison is not known here", QuoteName(c.Name), c.Collation)
			}
		default:
			return fmt.Sprintf("column %s has type %s, whose comparison is not known here", QuoteName(c.Name), c.DataType)
		}
	}
	return ""
}
