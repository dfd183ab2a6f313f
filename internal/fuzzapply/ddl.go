package fuzzapply

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// ddl draws a statement that changes a definition, and changes the table's model with it. Where the source refuses
// the statement the model is wrong, and later statements over it are refused too: of less use, and no harm.
func (w *writer) ddl() string {
	b := rapid.SampledFrom(w.free()).Draw(w.t, "table")
	switch rapid.IntRange(0, 10).Draw(w.t, "ddl") {
	case 0, 1, 2:
		return w.addColumn(b)
	case 3:
		return w.dropColumn(b)
	case 4:
		return w.renameColumn(b)
	case 5:
		if key := b.drawSecondary(w.t); key != "" {
			return "ALTER TABLE " + b.name + " ADD " + key
		}
	case 6:
		return w.renameTable(b)
	case 7:
		return w.modifyColumn(b)
	case 8:
		return "ALTER TABLE " + b.name + " ENGINE=InnoDB"
	case 9:
		return w.dropKey(b)
	}
	return "TRUNCATE TABLE " + b.name
}

func (w *writer) addColumn(b *table) string {
	c := b.add(w.t, w.drawType(w.t))
	b.attribute(w.t, c)
	if c.kind == logical || c.sql == "VECTOR(3)" {
		c.nullable, c.rest = true, " NULL" // NOT NULL would give the rows that are there a document or vector of no bytes, which is refused.
	}
	added := *c
	place := rapid.SampledFrom([]string{"", "", " FIRST", " AFTER " + b.columns[0].name}).Draw(w.t, "place")
	return "ALTER TABLE " + b.name + " ADD COLUMN " + added.definition() + place
}

// loose are the columns that no other part of the definition names.
func (b *table) loose() []int {
	var at []int
	for i, c := range b.columns {
		if !c.fixed && !c.generated {
			at = append(at, i)
		}
	}
	return at
}

func (w *writer) dropColumn(b *table) string {
	loose := b.loose()
	if len(loose) == 0 || len(b.columns) < 3 {
		return w.addColumn(b)
	}
	at := rapid.SampledFrom(loose).Draw(w.t, "dropped")
	name := b.columns[at].name
	b.columns = slices.Delete(b.columns, at, at+1)
	return "ALTER TABLE " + b.name + " DROP COLUMN " + name
}

func (w *writer) renameColumn(b *table) string {
	loose := b.loose()
	if len(loose) == 0 {
		return w.addColumn(b)
	}
	c := &b.columns[rapid.SampledFrom(loose).Draw(w.t, "renamed")]
	old := c.name
	b.made++
	c.name = fmt.Sprintf("c%d", b.made)
	return "ALTER TABLE " + b.name + " RENAME COLUMN " + old + " TO " + c.name
}

// modifyColumn gives a column another type; most values do not survive that, so the table is emptied before.
func (w *writer) modifyColumn(b *table) string {
	loose := b.loose()
	if len(loose) == 0 {
		return w.addColumn(b)
	}
	c := &b.columns[rapid.SampledFrom(loose).Draw(w.t, "modified")]
	c.value, c.nullable, c.rest = w.drawType(w.t), true, " NULL"
	return "ALTER TABLE " + b.name + " MODIFY COLUMN " + c.definition()
}

func (w *writer) renameTable(b *table) string {
	old := b.name
	w.renamed++
	b.name = fmt.Sprintf("r%d", w.renamed)
	return "RENAME TABLE " + old + " TO " + b.name
}

// dropKey takes a key away, the primary one too: the table may become keyless.
func (w *writer) dropKey(b *table) string {
	if rapid.Bool().Draw(w.t, "primary") {
		return "ALTER TABLE " + b.name + " DROP PRIMARY KEY"
	}
	return fmt.Sprintf("ALTER TABLE %s DROP KEY k%d", b.name, rapid.IntRange(0, 3).Draw(w.t, "dropped"))
}
