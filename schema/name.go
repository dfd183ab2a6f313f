package schema

import (
	"context"
	"database/sql"
	"strings"
)

// Querier is what this package needs of a database session; *sql.DB, *sql.Conn and *sql.Tx have it. Its errors are
// passed on wrapped, so they must be safe to print (invariant 9): mysqlconn's sessions see to that.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Name is the full name of a table.
type Name struct{ Schema, Table string }

// String is schema.table, for people.
func (n Name) String() string { return n.Schema + "." + n.Table }

// lower is the name as a server with lower_case_table_names=1 keeps it.
func (n Name) lower() Name { return Name{strings.ToLower(n.Schema), strings.ToLower(n.Table)} }

// Quoted is `schema`.`table`, ready for SQL.
func (n Name) Quoted() string { return QuoteName(n.Schema) + "." + QuoteName(n.Table) }

// QuoteName quotes an identifier for SQL. Backticks work under every sql_mode; a backtick inside is doubled.
func QuoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// IsSystemSchema reports whether a schema belongs to the server or to binseal itself. Such schemas are never
// replicated: their rows describe the server that they are on.
func IsSystemSchema(name string) bool {
	switch strings.ToLower(name) {
	case "mysql", "sys", "information_schema", "performance_schema", "binseal":
		return true
	}
	return false
}
