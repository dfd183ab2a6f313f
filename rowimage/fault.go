package rowimage

import (
	"errors"
	"fmt"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// The stable codes of this package's faults.
const (
	// CodeMismatch: the log's image of a table and the target's definition do not fit.
	CodeMismatch = "BS-SCHEMA-MISMATCH"
	// CodeUnsupported: a column's type or a value of it that this version cannot carry over unchanged.
	CodeUnsupported = "BS-TYPE-UNSUPPORTED"
	// CodeGenerated: a generated column that the target would compute differently.
	CodeGenerated = "BS-GENERATED-ZONE"
)

// Reasons why a value cannot be written. They never carry the value (invariant 9).
var (
	errCorrupt     = errors.New("bytes that are no value of the column's type")
	errEnumMember  = errors.New("ENUM value that has no member in the target's definition")
	errTextUnit    = errors.New("text that ends within a character of its character set")
	errNotFinite   = errors.New("floating point value that is not finite")
	errJSONEmpty   = errors.New("JSON value of length zero, left by an insert that was not strict")
	errVectorEmpty = errors.New("VECTOR of length zero, left by ALTER TABLE … ADD COLUMN … NOT NULL; no SQL writes one")
	errJSONUTF8    = errors.New("JSON string that is not UTF-8")
	errJSONDepth   = errors.New("JSON nested deeper than 100 levels")
	errJSONOpaque  = errors.New("JSON value of a type that no SQL expression has (a binary string out of a TINYBLOB, or of MySQL 5.7)")
	errJSONCorrupt = errors.New("bytes that are no JSON document")
)

// unsupported are the reasons that need a person; the others mean a damaged log.
var unsupported = []error{errEnumMember, errTextUnit, errJSONEmpty, errVectorEmpty, errJSONUTF8, errJSONDepth, errJSONOpaque, errPackedLarge}

// place names a column for people.
func place(t *schema.Table, c *schema.Column) string {
	return fmt.Sprintf("%s, column %s", t, schema.QuoteName(c.Name))
}

// mismatch is the fault of an image that does not fit the target's table; c is nil when it is not about one column.
func mismatch(m *change.TableMap, t *schema.Table, c *schema.Column, format string, args ...any) error {
	where := t.String()
	if c != nil {
		where = place(t, c)
	}
	next := "bring the target's table to the definition that the source had at this position, then start again"
	if m.Names == nil {
		next += "; where its columns shall stand in another order or be more, set binlog_row_metadata=FULL on the source (MySQL 8.0, MariaDB 10.5) before: it is what later changes are logged with"
	}
	return &change.Fault{
		Code: CodeMismatch, Class: change.ClassPerson, Where: where,
		What: fmt.Sprintf(format, args...),
		Next: next,
	}
}

// refuse is the fault of a type that this version does not carry over.
func refuse(t *schema.Table, c *schema.Column, format string, args ...any) error {
	return &change.Fault{
		Code: CodeUnsupported, Class: change.ClassPerson, Where: place(t, c),
		What: fmt.Sprintf(format, args...),
		Next: "exclude the table in the config, or change the column's type on the source",
	}
}

// refuseZone is the fault of a generated column that is bound to a time zone.
func refuseZone(t *schema.Table, c *schema.Column) error {
	return &change.Fault{
		Code: CodeGenerated, Class: change.ClassPerson, Where: place(t, c),
		What: "the generated column's value depends on the time zone of the session that wrote the row, which row events do not tell",
		Next: "on the target alone make it a column that is not generated, and drop it again after cutover; or define it over a DATETIME on both sides; or exclude the table",
	}
}

// refuseZoneKey is the fault of a unique key over an expression that is bound to a time zone.
func refuseZoneKey(t *schema.Table, k *schema.Key) error {
	return &change.Fault{
		Code: CodeGenerated, Class: change.ClassPerson, Where: fmt.Sprintf("%s, key %s", t, schema.QuoteName(k.Name)),
		What: "the unique key's expression depends on the time zone of the session that wrote the row, which row events do not tell",
		Next: "on the target alone drop the key, and create it again after cutover; or define it over a DATETIME on both sides; or exclude the table",
	}
}

// valueError says which column of an image could not be written: a fault when a person must decide, else a plain
// error, since the log or its reader is damaged.
func (l *Layout) valueError(column int, err error) error {
	c := &l.table.Columns[column]
	for _, reason := range unsupported {
		if errors.Is(err, reason) {
			return &change.Fault{
				Code: CodeUnsupported, Class: change.ClassPerson, Where: place(l.table, c), What: reason.Error(),
				Next: "change the value on the source and skip the table until it is copied again, or exclude the table",
			}
		}
	}
	return fmt.Errorf("row image of %s: %w", place(l.table, c), err)
}

// imageError is the error of an image that is damaged as a whole.
func (l *Layout) imageError(err error) error { return fmt.Errorf("row image of %s: %w", l.table, err) }
