package fuzzapply

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// table is a table as the statements before have left it. It knows columns and their values, not rows.
type table struct {
	name    string
	columns []column
	// key are the columns of the primary key, or of what stands for it; nil for a keyless table.
	key   []string
	parts []string // The rest of its CREATE TABLE: keys and constraints.
	made  int      // Columns made so far, for fresh names.
	index int      // Keys made so far, likewise.
}

// column is one column of a table.
type column struct {
	value
	name      string
	nullable  bool
	generated bool
	defaulted bool
	fixed     bool   // Other parts of the table's definition name it.
	rest      string // What follows its type.
}

func (c column) definition() string { return c.name + " " + c.sql + c.rest }

// expression draws a value for a column.
func (c column) expression(t *rapid.T) string {
	if c.nullable && rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return "NULL"
	}
	return rapid.SampledFrom(c.pool).Draw(t, "value")
}

// written are the columns that a statement can write.
func (b *table) written() []column {
	return slices.DeleteFunc(slices.Clone(b.columns), func(c column) bool { return c.generated })
}

// compared are the columns that a condition can name.
func (b *table) compared() []column {
	return slices.DeleteFunc(slices.Clone(b.columns), func(c column) bool { return c.kind == opaque || c.kind == logical || c.generated })
}

func (b *table) create() string {
	var lines []string
	for _, c := range b.columns {
		lines = append(lines, c.definition())
	}
	return "CREATE TABLE " + b.name + " (\n  " + strings.Join(append(lines, b.parts...), ",\n  ") + ")"
}

// drawTable draws a table with a key of any kind, or none.
func (f *Facts) drawTable(t *rapid.T, name string) *table {
	b := &table{name: name}
	kind := rapid.SampledFrom([]string{"one", "one", "one", "several", "several", "counter", "not null", "nullable", "none", "none"}).Draw(t, "key")
	keyed := map[string]int{"one": 1, "several": rapid.IntRange(2, 3).Draw(t, "parts"), "not null": 1, "nullable": 1}[kind]
	for range keyed {
		c := b.add(t, f.drawKeyType(t))
		c.nullable, c.fixed = kind == "nullable", true
		c.rest = map[bool]string{true: " NULL", false: " NOT NULL"}[c.nullable]
		b.key = append(b.key, c.name)
	}
	for range rapid.IntRange(1, 5).Draw(t, "columns") {
		b.attribute(t, b.add(t, f.drawType(t)))
	}
	switch kind {
	case "counter":
		b.columns = append(b.columns, column{name: "id", value: value{sql: "INT", kind: number, pool: []string{"0", "1", "2", "3", "-1", "7", "DEFAULT"}}, rest: " NOT NULL AUTO_INCREMENT", fixed: true})
		b.key = []string{"id"}
		b.parts = append(b.parts, "PRIMARY KEY (id)")
	case "one", "several":
		b.parts = append(b.parts, "PRIMARY KEY ("+b.drawParts(t, b.key)+")")
	case "not null", "nullable":
		b.parts = append(b.parts, "UNIQUE KEY k0 ("+b.drawParts(t, b.key)+")")
		if kind == "nullable" {
			b.key = nil
		}
	}
	b.generate(t)
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "secondary") {
		b.secondary(t)
	}
	return b
}

// add appends a column of a type.
func (b *table) add(t *rapid.T, v value) *column {
	b.made++
	b.columns = append(b.columns, column{value: v, name: fmt.Sprintf("c%d", b.made)})
	return &b.columns[len(b.columns)-1]
}

// attribute draws what follows a column's type.
func (b *table) attribute(t *rapid.T, c *column) {
	c.nullable = rapid.IntRange(0, 2).Draw(t, "nullable") > 0
	c.rest = map[bool]string{true: " NULL", false: " NOT NULL"}[c.nullable]
	value := rapid.SampledFrom(c.pool).Draw(t, "default")
	switch how := rapid.IntRange(0, 9).Draw(t, "attribute"); {
	case how <= 1 && c.literal:
		c.rest += " DEFAULT " + value
		c.defaulted = true
	case how == 2 && c.kind != opaque:
		c.rest += " DEFAULT (" + value + ")"
		c.defaulted = true
	case how == 3 && strings.HasPrefix(c.sql, "TIMESTAMP") || how == 3 && strings.HasPrefix(c.sql, "DATETIME"):
		_, digits, _ := strings.Cut(c.sql, "(")
		now := strings.TrimSuffix(" CURRENT_TIMESTAMP("+digits, "(")
		c.rest += " DEFAULT" + now + " ON UPDATE" + now
		c.defaulted = true
	case how == 4 && len(b.columns) > 1:
		c.rest += " INVISIBLE"
	}
}

// drawParts writes columns as parts of a key: with a prefix where the type wants or allows one, descending at times.
func (b *table) drawParts(t *rapid.T, names []string) string {
	var parts []string
	for _, name := range names {
		c := b.columns[slices.IndexFunc(b.columns, func(c column) bool { return c.name == name })]
		part := name
		if c.kind == lob {
			part += fmt.Sprintf("(%d)", rapid.IntRange(1, 20).Draw(t, "prefix"))
		}
		if n := length(c.sql); (c.kind == text || c.kind == bytes) && n > 1 && rapid.IntRange(0, 3).Draw(t, "prefixed") == 0 {
			part += fmt.Sprintf("(%d)", rapid.IntRange(1, n-1).Draw(t, "prefix"))
		}
		if rapid.IntRange(0, 3).Draw(t, "descending") == 0 {
			part += " DESC"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// length is the n of a type like VARCHAR(n); 0 without.
func length(sql string) (n int) {
	_, digits, _ := strings.Cut(sql, "(")
	_, _ = fmt.Sscan(strings.SplitN(digits, ")", 2)[0], &n)
	return n
}

// generate adds a generated column at times, indexed at times.
func (b *table) generate(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "generated") > 0 {
		return
	}
	// One over a TIMESTAMP follows the session's time zone, and is refused (BS-GENERATED-ZONE).
	bases := slices.DeleteFunc(b.compared(), func(c column) bool { return c.name == "id" || strings.HasPrefix(c.sql, "TIMESTAMP") })
	if len(bases) == 0 {
		return
	}
	from := rapid.SampledFrom(bases).Draw(t, "base")
	base := from.name
	b.fix(base)
	c := column{name: "g", generated: true, fixed: true, nullable: true, value: value{kind: text, pool: []string{"NULL"}}}
	c.sql = rapid.SampledFrom([]string{
		"VARCHAR(20) CHARACTER SET utf8mb4 GENERATED ALWAYS AS (LEFT(CONCAT(%s, 'x'), 20))", "VARBINARY(80) GENERATED ALWAYS AS (LEFT(%s, 20))",
		"INT GENERATED ALWAYS AS (LENGTH(%s))", "CHAR(64) CHARACTER SET ascii GENERATED ALWAYS AS (SHA2(%s, 256))",
	}).Draw(t, "expression")
	if !from.readable() {
		c.sql = "VARBINARY(80) GENERATED ALWAYS AS (LEFT(%s, 20))"
	}
	c.sql = fmt.Sprintf(c.sql, base)
	c.rest = rapid.SampledFrom([]string{" VIRTUAL", " STORED", " STORED INVISIBLE"}).Draw(t, "storage")
	b.columns = append(b.columns, c)
	switch rapid.IntRange(0, 3).Draw(t, "indexed") {
	case 0:
		b.parts = append(b.parts, "UNIQUE KEY kg (g)")
	case 1:
		b.parts = append(b.parts, "KEY kg (g)")
	}
}

// readable reports that the column's bytes are text in any character set. Of others the source makes invalid text under
// IGNORE, and the target, which computes the column under a strict sql_mode, refuses the row (BS-REFUSED).
func (c column) readable() bool {
	return c.kind != bytes && c.kind != lob && !strings.HasPrefix(c.sql, "BIT")
}

// fix notes that a column is named elsewhere.
func (b *table) fix(name string) {
	for i := range b.columns {
		if b.columns[i].name == name {
			b.columns[i].fixed = true
		}
	}
}

// secondary adds a secondary key.
func (b *table) secondary(t *rapid.T) {
	part := b.drawSecondary(t)
	if part != "" {
		b.parts = append(b.parts, part)
	}
}

// drawSecondary draws a secondary key, most of them unique; "" when no column fits.
func (b *table) drawSecondary(t *rapid.T) string {
	columns := b.compared()
	if len(columns) == 0 {
		return ""
	}
	b.index++
	unique := rapid.SampledFrom([]string{"UNIQUE KEY", "UNIQUE KEY", "UNIQUE KEY", "KEY"}).Draw(t, "unique")
	first := rapid.SampledFrom(columns).Draw(t, "first")
	b.fix(first.name)
	if zoned := strings.HasPrefix(first.sql, "TIMESTAMP"); !zoned && rapid.IntRange(0, 7).Draw(t, "functional") == 0 { // Over a TIMESTAMP: BS-GENERATED-ZONE.
		expression := map[bool]string{true: "(%s IS NULL)", false: "(SHA2(%s, 256))"}[first.kind == lob]
		return fmt.Sprintf("%s k%d ("+expression+")", unique, b.index, first.name)
	}
	names := []string{first.name}
	if second := rapid.SampledFrom(columns).Draw(t, "second"); second.name != first.name && rapid.IntRange(0, 3).Draw(t, "two") == 0 {
		names = append(names, second.name)
		b.fix(second.name)
	}
	return fmt.Sprintf("%s k%d (%s)", unique, b.index, b.drawParts(t, names))
}

// child draws a table whose foreign key refers to b's primary key; nil when the key is not one that can be referred to.
func (f *Facts) child(t *rapid.T, b *table, name string) *table {
	at := slices.IndexFunc(b.parts, func(p string) bool { return strings.HasPrefix(p, "PRIMARY KEY (") })
	if len(b.key) != 1 || at < 0 || strings.Contains(b.parts[at], " DESC") || strings.Count(b.parts[at], "(") > 1 {
		return nil
	}
	parent := b.columns[slices.IndexFunc(b.columns, func(c column) bool { return c.name == b.key[0] })]
	c := f.drawTable(t, name)
	ref := column{value: parent.value, name: "p", nullable: true, rest: " NULL", fixed: true}
	ref.pool = slices.DeleteFunc(slices.Clone(ref.pool), func(s string) bool { return s == "DEFAULT" })
	c.columns = append(c.columns, ref)
	actions := []string{"CASCADE", "SET NULL", "RESTRICT", "NO ACTION"}
	c.parts = append(c.parts, "KEY kp (p)", fmt.Sprintf("FOREIGN KEY (p) REFERENCES %s (%s) ON DELETE %s ON UPDATE %s", b.name, b.key[0],
		rapid.SampledFrom(actions).Draw(t, "on delete"), rapid.SampledFrom(actions).Draw(t, "on update")))
	b.fix(parent.name)
	return c
}
