package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"
)

// nextID is the counter in a table's definition. Rows move it, so it says nothing about DDL.
var nextID = regexp.MustCompile(`\bAUTO_INCREMENT=[0-9]+ ?`)

// Fingerprint is a hash, in hexadecimal, of the definitions of tables and databases: whether each is there, its
// SHOW CREATE text without the AUTO_INCREMENT counter, its creation time, and a database's character set, collation
// and encryption. Taken before a DDL and again after a crash it tells whether the DDL ran: equal means that it did
// not, or that it changed nothing that can be seen: an ALTER of the counter alone shows by the creation time, which
// has seconds.
//
// A definition's text depends on the session. So that two sessions never differ by that alone, the session must
// have time_zone='+00:00', sql_quote_show_create=1, and no ANSI_QUOTES or NO_BACKSLASH_ESCAPES in sql_mode; it is an
// error otherwise. None of it comes from cached statistics.
//
// Of views and routines it has the existence and the times of change only: statements on them that keep the object
// can be run again.
func Fingerprint(ctx context.Context, q Querier, tables []Name, databases []string, routines ...Name) (string, error) {
	if err := checkSession(ctx, q); err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	sum := sha256.New()
	for _, t := range tables {
		if err := addTable(ctx, q, sum, t); err != nil {
			return "", fmt.Errorf("fingerprint of table %s: %w", t, err)
		}
	}
	for _, db := range databases {
		if err := addDatabase(ctx, q, sum, db); err != nil {
			return "", fmt.Errorf("fingerprint of database %s: %w", db, err)
		}
	}
	for _, r := range routines {
		if err := addRoutine(ctx, q, sum, r); err != nil {
			return "", fmt.Errorf("fingerprint of routine %s: %w", r, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// addRoutine adds the stored procedure and the function of a name.
func addRoutine(ctx context.Context, q Querier, sum hash.Hash, r Name) error {
	const query = `/* binseal schema */ SELECT ROUTINE_TYPE, CREATED, LAST_ALTERED FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA = ? AND ROUTINE_NAME = ? ORDER BY ROUTINE_TYPE`
	add(sum, "routine", r.Schema, r.Table)
	return each(ctx, q, query, []any{r.Schema, r.Table}, func(rows *sql.Rows) error {
		var kind, created, altered string
		err := rows.Scan(&kind, &created, &altered)
		add(sum, kind, created, altered)
		return err
	})
}

// checkSession refuses a session whose settings would show in the text of a definition.
func checkSession(ctx context.Context, q Querier) error {
	const query = "SELECT /* binseal schema */ @@SESSION.time_zone, @@SESSION.sql_mode, @@SESSION.sql_quote_show_create"
	return each(ctx, q, query, nil, func(rows *sql.Rows) error {
		var zone, mode string
		var quote bool
		if err := rows.Scan(&zone, &mode, &quote); err != nil {
			return err
		}
		if zone != "+00:00" || !quote || strings.Contains(mode, "ANSI_QUOTES") || strings.Contains(mode, "NO_BACKSLASH_ESCAPES") {
			return errors.New("the session's time_zone, sql_mode or sql_quote_show_create changes how definitions are written")
		}
		return nil
	})
}

// addTable adds one table or view.
func addTable(ctx context.Context, q Querier, sum hash.Hash, t Name) error {
	const query = `/* binseal schema */ SELECT TABLE_TYPE, COALESCE(CREATE_TIME, '') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`
	add(sum, "table", t.Schema, t.Table)
	base := false
	err := each(ctx, q, query, []any{t.Schema, t.Table}, func(rows *sql.Rows) error {
		var tableType, created string
		err := rows.Scan(&tableType, &created)
		base = tableType != "VIEW" // A view's text cannot be read where a table below it is gone.
		add(sum, tableType, created)
		return err
	})
	if err != nil || !base {
		return err
	}
	return addCreate(ctx, q, sum, "TABLE "+t.Quoted())
}

// addDatabase adds one database; SHOW CREATE has its character set, collation and encryption.
func addDatabase(ctx context.Context, q Querier, sum hash.Hash, db string) error {
	const query = "/* binseal schema */ SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?"
	add(sum, "database", db)
	there := false
	err := each(ctx, q, query, []any{db}, func(*sql.Rows) error {
		there = true
		return nil
	})
	if err != nil || !there {
		return err
	}
	return addCreate(ctx, q, sum, "DATABASE "+QuoteName(db))
}

// addCreate adds the text of SHOW CREATE.
func addCreate(ctx context.Context, q Querier, sum hash.Hash, object string) error {
	return each(ctx, q, "SHOW /* binseal schema */ CREATE "+object, nil, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		if len(columns) < 2 {
			return errors.New("SHOW CREATE has no text")
		}
		texts := make([]sql.NullString, len(columns)) // A view has four columns, others two.
		targets := make([]any, len(columns))
		for i := range texts {
			targets[i] = &texts[i]
		}
		err = rows.Scan(targets...)
		add(sum, "is", nextID.ReplaceAllString(texts[1].String, ""))
		return err
	})
}

// add hashes texts, each with its length, so that no two lists of texts hash alike.
func add(sum hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(sum, "%d:%s", len(t), t)
	}
}
