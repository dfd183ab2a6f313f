package fuzzapply

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Facts are what the generator must know of a server.
type Facts struct {
	Collations []Collation
	Pieces     map[string][]Piece // Per character set: those that it can write.
	// narrow: no member of an ENUM or SET is outside the BMP. A server that adds an invisible primary key logs its own
	// text of the CREATE TABLE, with '?' for such a member.
	narrow bool
}

// Collation is a collation of the server, binary left out.
type Collation struct{ Name, Charset string }

// Piece is a part of a text in one character set.
type Piece struct {
	Text       string // In UTF-8.
	Bytes      []byte
	Characters int
}

// LoadFacts asks a server.
func LoadFacts(ctx context.Context, db *sql.DB) (*Facts, error) {
	f := &Facts{Pieces: map[string][]Piece{}}
	err := each(ctx, db, `SELECT COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS
		WHERE CHARACTER_SET_NAME <> 'binary' ORDER BY COLLATION_NAME`, func(rows *sql.Rows) error {
		var c Collation
		err := rows.Scan(&c.Name, &c.Charset)
		f.Collations = append(f.Collations, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("collations: %w", err)
	}
	for _, charset := range f.Charsets() {
		if f.Pieces[charset], err = loadPieces(ctx, db, charset); err != nil {
			return nil, fmt.Errorf("texts in %s: %w", charset, err)
		}
	}
	return f, nil
}

// Charsets lists the character sets, sorted.
func (f *Facts) Charsets() []string {
	var names []string
	for _, c := range f.Collations {
		names = append(names, c.Charset)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// loadPieces lets the server convert the texts; those that it cannot write in the character set are left out.
func loadPieces(ctx context.Context, db *sql.DB, charset string) ([]Piece, error) {
	var selects []string
	for i, text := range texts {
		literal := "_utf8mb4 0x" + hex.EncodeToString([]byte(text))
		selects = append(selects, fmt.Sprintf(`SELECT %[3]d AS i, HEX(CONVERT(%[1]s USING %[2]s)) AS h, CHAR_LENGTH(CONVERT(%[1]s USING %[2]s)) AS n,
			CONVERT(CONVERT(%[1]s USING %[2]s) USING utf8mb4) = %[1]s COLLATE utf8mb4_0900_bin AS same`, literal, charset, i))
	}
	var pieces []Piece
	err := each(ctx, db, strings.Join(selects, " UNION ALL "), func(rows *sql.Rows) error {
		var digits string
		var p Piece
		var at int
		var same bool
		if err := rows.Scan(&at, &digits, &p.Characters, &same); err != nil || !same {
			return err
		}
		p.Text = texts[at]
		var err error
		p.Bytes, err = hex.DecodeString(digits)
		pieces = append(pieces, p)
		return err
	})
	return pieces, err
}

func each(ctx context.Context, db *sql.DB, query string, row func(*sql.Rows) error) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
