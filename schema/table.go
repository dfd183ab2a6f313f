package schema

import "slices"

// Generation says whether a column's value is computed by the server.
type Generation uint8

// The kinds of column generation.
const (
	NotGenerated Generation = iota
	VirtualColumn
	StoredColumn
)

// Default says what the server stores in a column that an INSERT leaves out.
type Default uint8

// The kinds of default.
const (
	LiteralDefault  Default = iota // A literal, or NULL.
	ImplicitDefault                // NOT NULL and no default: an error, or without strict mode the type's zero value.
	ComputedDefault                // An expression, CURRENT_TIMESTAMP, AUTO_INCREMENT: another value at each time.
)

// Column is one column of a target table, as information_schema.COLUMNS describes it.
type Column struct {
	Name       string
	DataType   string // DATA_TYPE in lower case: "int", "varchar", "timestamp", …
	ColumnType string // COLUMN_TYPE, for messages: "int unsigned", "enum('a','b')" …
	Unsigned   bool
	Nullable   bool
	Generated  Generation
	Invisible  bool
	// ZoneBound: a generated column whose value follows the time zone of the session that writes the row, which row
	// events do not tell.
	ZoneBound bool
	// SessionBound: a generated column whose value may follow other settings of that session, such as
	// div_precision_increment. Reads are the names of the columns that its value is made of.
	SessionBound bool
	Reads        []string
	// OnUpdateNow: ON UPDATE CURRENT_TIMESTAMP. The server changes the column by itself when an UPDATE leaves it
	// out, so an UPDATE must always name it.
	OnUpdateNow bool
	Default     Default
	Charset     string // CHARACTER_SET_NAME; "" for columns without one.
	Collation   string // COLLATION_NAME; "" for columns without one.
	CollationID uint16 // Id of Collation; 0 without one, 63 never (binary strings have no Collation here).
	MaxBytes    int64  // CHARACTER_OCTET_LENGTH: the n of BINARY(n); 0 where the server gives none.
	Precision   int    // NUMERIC_PRECISION (for BIT: the number of bits); 0 without.
	Scale       int    // NUMERIC_SCALE; 0 without.
	FSP         int    // DATETIME_PRECISION: digits of the fraction, 0–6; 0 for columns that are not temporal.
}

// KeyPart is one column of a key.
type KeyPart struct {
	Column int // Index into Table.Columns; -1 for what row images do not show: an expression, a column in Table.Added.
	Prefix int // Length of a prefix part in characters (bytes for binary strings); 0 for the whole column.
}

// Key is a unique key of a target table. Non-unique keys do not matter to the applier and are not loaded.
type Key struct {
	Name  string // "PRIMARY" for the primary key.
	Parts []KeyPart
	// Weighed reports that each part is a column that the images show whole and whose values this process can
	// compare as the server does: two rows have the same Key bytes (rowimage.Layout.AppendKey) exactly when
	// they collide on the server.
	Weighed bool
	// ZoneBound: a part is an expression whose value follows the time zone of the session that writes the row, as
	// Column.ZoneBound.
	ZoneBound bool
	// NotNull reports that no part is nullable. Rows with a NULL in a unique key never collide.
	NotNull bool
}

// Whole reports that no part of the key is a prefix of a column's values.
func (k *Key) Whole() bool {
	return !slices.ContainsFunc(k.Parts, func(p KeyPart) bool { return p.Prefix > 0 })
}

// Class decides how changes of a table may travel (DESIGN.md §2).
type Class uint8

// The classes of a table.
const (
	Merged  Class = iota // Net changes per key.
	Ordered              // In the source's order, unmerged, on the leader.
)

// Table is the definition of a target table, at one moment. It is immutable once loaded and safe for concurrent
// reads; after a DDL the catalog loads a new one.
type Table struct {
	Schema, Name string
	Engine       string
	Partitioned  bool
	Columns      []Column
	Added        []Column // Columns that the source does not have: only in what Arrange gives.
	// Identity is the key by which rows are found: the primary key, else the first unique key whose parts are all
	// whole NOT NULL columns; nil for a keyless table (a nullable unique key is no key).
	Identity *Key
	// Secondary are the unique keys other than Identity.
	Secondary []*Key
	Class     Class
	// OrderedWhy says why Class is Ordered, for /status and check; "" when Merged.
	OrderedWhy string
	// Cascading reports that the table is in a cascading family: tied by ON DELETE/UPDATE CASCADE, SET NULL or
	// SET DEFAULT, closed over every other foreign key that touches the family.
	Cascading bool
	Triggers  []string // Names of the triggers on the table: they would fire again for applied rows.
}

// QuotedName is `schema`.`table`, ready for SQL.
func (t *Table) QuotedName() string { return QuoteName(t.Schema) + "." + QuoteName(t.Name) }

// String is schema.table, for people.
func (t *Table) String() string { return t.Schema + "." + t.Name }
