package schema

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/binseal/binseal/change"
)

// Catalog loads the definitions of the target's tables and keeps them until Forget. The target is the schema
// history: DDL is applied in order, so its definition is the right one for the next row event.
//
// A table costs four short queries in one round trip when it is first asked for, so the session must take several
// statements at a time; foreign keys and collations are read once for the
// whole server. The session needs the right to see the tables (any privilege on them), and TRIGGER to see their
// triggers: without it Table.Triggers stays empty. Safe for concurrent use; queries run one at a time.
type Catalog struct {
	q Querier

	mu         sync.Mutex // Guards all below, and the session behind q.
	tables     map[Name]*Table
	families   map[Name]bool // Nil until loaded.
	collations Collations    // Nil until loaded; collations do not change while a server runs.
}

// NewCatalog reads through q, which must see the whole dictionary: see Catalog.
func NewCatalog(q Querier) *Catalog {
	return &Catalog{q: q, tables: make(map[Name]*Table)}
}

// Forget drops all definitions: after a DDL, and when the session moved to another server.
func (c *Catalog) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tables)
	c.families = nil
}

// Collations are the target's collations by id.
func (c *Catalog) Collations(ctx context.Context) (Collations, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loadCollations(ctx)
}

func (c *Catalog) loadCollations(ctx context.Context) (Collations, error) {
	if c.collations == nil {
		all, err := LoadCollations(ctx, c.q)
		if err != nil {
			return nil, err
		}
		c.collations = all
	}
	return c.collations, nil
}

// Table is the definition of a table. A table that is not there, or is a view, is a *change.Fault BS-TABLE-MISSING;
// a session setting that hides columns is a *change.Fault BS-TARGET-SETTING.
func (c *Catalog) Table(ctx context.Context, schemaName, table string) (*Table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := Name{schemaName, table}
	if t := c.tables[name]; t != nil {
		return t, nil
	}
	t, err := c.load(ctx, name)
	if err != nil {
		if change.FaultOf(err) != nil {
			return nil, err
		}
		return nil, fmt.Errorf("read the definition of %s: %w", name, err)
	}
	c.tables[name] = t
	return t, nil
}

// load reads one table.
func (c *Catalog) load(ctx context.Context, name Name) (*Table, error) {
	collations, err := c.loadCollations(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.loadFamilies(ctx); err != nil {
		return nil, err
	}
	r := &reading{table: &Table{}, collations: collations}
	err = together(ctx, c.q,
		asked{showGIPK, r.gipk},
		asked{named(columnsQuery, name), r.column},
		asked{named(keysQuery, name), r.key},
		asked{named(triggersQuery, name), r.trigger})
	switch {
	case err != nil:
		return nil, err
	case r.hidesGIPK:
		return nil, &change.Fault{Code: "BS-TARGET-SETTING", Class: change.ClassPerson,
			What: "the target hides generated invisible primary keys, which row images have",
			Next: "set show_gipk_in_create_table_and_information_schema=ON on the target (its default)"}
	case r.tableType != "BASE TABLE":
		return nil, missing(name, r.tableType != "")
	}
	t := r.table
	MarkGenerated(t, r.generated)
	if r.expressions {
		if err := c.loadExpressions(ctx, t); err != nil {
			return nil, err
		}
	}
	t.Cascading = c.families[Name{t.Schema, t.Name}]
	classify(t)
	return t, nil
}

// reading is a table of which the server's answers come row by row.
type reading struct {
	table       *Table
	collations  Collations
	tableType   string   // "" until the table was seen.
	generated   []string // The columns' expressions.
	expressions bool     // A unique key has a part over one.
	hidesGIPK   bool
}

// showGIPK is @@show_gipk_in_create_table_and_information_schema, which hides generated invisible primary keys when
// it is off; servers before 8.0.30 have neither the variable nor such keys. It is read with each definition: the session
// may be another one.
const showGIPK = "SHOW /* binseal schema */ SESSION VARIABLES LIKE 'show_gipk_in_create_table_and_information_schema'"

// columnsQuery: one row per column, each with its table's type and engine. CREATE_OPTIONS does not say that a table is
// partitioned by KEY().
const columnsQuery = `/* binseal schema */ SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, COALESCE(t.ENGINE, ''), EXISTS (SELECT 1 FROM information_schema.PARTITIONS p WHERE p.TABLE_SCHEMA = ? AND p.TABLE_NAME = ? AND p.PARTITION_NAME IS NOT NULL),
  c.COLUMN_NAME, LOWER(c.DATA_TYPE), c.COLUMN_TYPE, c.IS_NULLABLE, c.EXTRA, COALESCE(c.CHARACTER_SET_NAME, ''),
  COALESCE(c.COLLATION_NAME, ''), COALESCE(c.CHARACTER_OCTET_LENGTH, 0), COALESCE(c.NUMERIC_PRECISION, 0),
  COALESCE(c.NUMERIC_SCALE, 0), COALESCE(c.DATETIME_PRECISION, 0), COALESCE(c.COLUMN_DEFAULT, ''), c.COLUMN_DEFAULT IS NULL,
  COALESCE(c.GENERATION_EXPRESSION, '')
FROM information_schema.TABLES t JOIN information_schema.COLUMNS c
  ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION`

// column takes the table's engine and a column.
func (r *reading) column(rows *sql.Rows) error {
	var col Column
	var nullable, extra, value, expression string
	var noDefault bool
	t := r.table
	err := rows.Scan(&t.Schema, &t.Name, &r.tableType, &t.Engine, &t.Partitioned, &col.Name, &col.DataType, &col.ColumnType,
		&nullable, &extra, &col.Charset, &col.Collation, &col.MaxBytes, &col.Precision, &col.Scale, &col.FSP, &value, &noDefault, &expression)
	if err != nil {
		return err
	}
	col.Nullable = nullable == "YES"
	describe(&col, extra, r.collations)
	col.Default = defaultOf(&col, strings.ToUpper(extra), value, noDefault)
	t.Columns, r.generated = append(t.Columns, col), append(r.generated, expression)
	return nil
}

// missing is the fault of a table that the target does not have.
func missing(name Name, view bool) *change.Fault {
	what := fmt.Sprintf("the target has no table %s, or its account may not see it", name)
	if view {
		what = fmt.Sprintf("%s is a view on the target", name)
	}
	return &change.Fault{Code: "BS-TABLE-MISSING", Class: change.ClassPerson, What: what, Where: name.String(),
		Next: "create the table on the target as it was on the source at this position, grant the account its privileges, or exclude the table by tables.exclude"}
}

// gipk finds a session that hides generated invisible primary keys: their columns are in the row images.
func (r *reading) gipk(rows *sql.Rows) error {
	var name, value string
	err := rows.Scan(&name, &value)
	r.hidesGIPK = value != "ON"
	return err
}

// describe fills what EXTRA and the type's text say.
func describe(col *Column, extra string, all Collations) {
	extra = strings.ToUpper(extra)
	switch {
	case strings.Contains(extra, "VIRTUAL GENERATED"):
		col.Generated = VirtualColumn
	case strings.Contains(extra, "STORED GENERATED"):
		col.Generated = StoredColumn
	}
	col.Invisible = strings.Contains(extra, "INVISIBLE")
	col.OnUpdateNow = strings.Contains(extra, "ON UPDATE CURRENT_TIMESTAMP")
	if isNumeric(col.DataType) {
		col.Unsigned = strings.Contains(strings.ToLower(col.ColumnType), " unsigned")
	}
	if col.Collation != "" {
		col.CollationID = all.ID(col.Collation)
	}
}

// defaultOf says what a column takes when an INSERT leaves it out. Servers before 8.0 show CURRENT_TIMESTAMP as the
// default's text and do not mark it in EXTRA.
func defaultOf(col *Column, extra, value string, none bool) Default {
	now := col.FSP > 0 || col.DataType == "timestamp" || col.DataType == "datetime"
	switch {
	case strings.Contains(extra, "DEFAULT_GENERATED"), strings.Contains(extra, "AUTO_INCREMENT"),
		now && strings.HasPrefix(strings.ToUpper(value), "CURRENT_TIMESTAMP"):
		return ComputedDefault
	case none && !col.Nullable && col.Generated == NotGenerated:
		return ImplicitDefault
	}
	return LiteralDefault
}

// isNumeric keeps the text of an ENUM's members from being read as an attribute.
func isNumeric(dataType string) bool {
	return slices.Contains([]string{"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"}, dataType)
}

// triggersQuery names the triggers on a table.
const triggersQuery = `/* binseal schema */ SELECT TRIGGER_NAME FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? ORDER BY TRIGGER_NAME`

func (r *reading) trigger(rows *sql.Rows) error {
	var name string
	err := rows.Scan(&name)
	r.table.Triggers = append(r.table.Triggers, name)
	return err
}

// triggeredQuery names the tables that have triggers.
const triggeredQuery = `/* binseal schema */ SELECT DISTINCT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA NOT IN ('mysql', 'sys') ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE`

// Triggered gives the tables that have triggers by now, of those whose definitions are kept. The target is asked anew: somebody
// may have made one since.
func (c *Catalog) Triggered(ctx context.Context) (found []Name, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := make(map[Name]bool, len(c.tables))
	for _, t := range c.tables {
		kept[Name{t.Schema, t.Name}] = true
	}
	if len(kept) == 0 {
		return nil, nil
	}
	err = each(ctx, c.q, triggeredQuery, nil, func(rows *sql.Rows) error {
		var n Name
		err := rows.Scan(&n.Schema, &n.Table)
		if kept[n] {
			found = append(found, n)
		}
		return err
	})
	return found, err
}

// asked is a query, and what takes each row of its answer.
type asked struct {
	query string
	row   func(*sql.Rows) error
}

// together asks several queries in one round trip and takes their answers in order.
func together(ctx context.Context, q Querier, all ...asked) error {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.query)
	}
	rows, err := q.QueryContext(ctx, strings.Join(texts, ";\n"))
	if err != nil {
		return err
	}
	return errors.Join(taken(rows, all), rows.Close())
}

func taken(rows *sql.Rows, all []asked) error {
	for i, a := range all {
		if i > 0 && !rows.NextResultSet() {
			return cmp.Or(rows.Err(), errors.New("the server has left a query unanswered"))
		}
		for rows.Next() {
			if err := a.row(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// named puts a table into a query that asks for its schema and its name in turn: a text with values travels alone.
func named(query string, n Name) string {
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "_utf8mb4 0x%X", []string{n.Schema, n.Table}[(i-1)%2])
		}
		b.WriteString(part)
	}
	return b.String()
}

// each runs a query and calls f for each row.
func each(ctx context.Context, q Querier, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return errors.Join(taken(rows, []asked{{query, f}}), rows.Close())
}
