package rowimage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// arrange gives the target's table with its columns in the places that they have in the images: by name where the source
// sends names (binlog_row_metadata=FULL), else as they are. What only the target has must fill itself, and the rows must
// be found without it.
func arrange(m *change.TableMap, t *schema.Table) (*schema.Table, error) {
	if m.Names == nil {
		if len(m.Types) != len(t.Columns) {
			return nil, mismatch(m, t, nil, "the source's table has %d columns, the target's %d", len(m.Types), len(t.Columns))
		}
		return t, nil
	}
	a, missing := t.Arrange(m.Names)
	if missing != "" {
		return nil, mismatch(m, t, &schema.Column{Name: missing}, "the target's table does not have the column")
	}
	if err := unfilled(t, a.Added); err != nil {
		return nil, err
	}
	if a.Identity == nil && t.Identity != nil && m.PrimaryKey != nil {
		return nil, unfound(m, t)
	}
	return a, nil
}

// unfilled refuses columns of the target's own that an INSERT cannot leave out, and unique keys in which its rows would all
// have one value.
func unfilled(t *schema.Table, added []schema.Column) error {
	for i := range added {
		if c := &added[i]; c.Default == schema.ImplicitDefault {
			return &change.Fault{
				Code: CodeMismatch, Class: change.ClassPerson, Where: place(t, c),
				What: "the source does not have the column, and on the target it is NOT NULL and without a default: no row of the source fills it",
				Next: "give the column a default on the target, let it be NULL, or drop it, then start again",
			}
		}
	}
	constant := func(p schema.KeyPart) bool {
		return p.Column >= 0 && slices.ContainsFunc(added, func(c schema.Column) bool {
			return c.Name == t.Columns[p.Column].Name && c.Default == schema.LiteralDefault && c.Generated == schema.NotGenerated && !c.Nullable
		})
	}
	for _, k := range t.UniqueKeys() {
		if !slices.ContainsFunc(k.Parts, func(p schema.KeyPart) bool { return !constant(p) }) {
			return &change.Fault{
				Code: CodeMismatch, Class: change.ClassPerson, Where: t.String(),
				What: "the source has none of the columns of the target's unique key " + schema.QuoteName(k.Name) + ", and each row would take the same value in it",
				Next: "drop the key on the target, or give one of its columns AUTO_INCREMENT or another default that is computed, then start again",
			}
		}
	}
	return nil
}

// unfound is the fault of a target whose keys all have a column that the source does not have, while the source's table
// has a primary key. Without it a row could only be looked for by all that the source has of it, and rows that are
// the target's own, such as those of another shop in the same table, may be alike in that.
func unfound(m *change.TableMap, t *schema.Table) error {
	names := make([]string, len(m.PrimaryKey))
	for i, place := range m.PrimaryKey {
		names[i] = schema.QuoteName(m.Names[place])
	}
	return &change.Fault{
		Code: CodeMismatch, Class: change.ClassPerson, Where: t.String(),
		What: "each key of the target's table by which its rows could be found has a column that the source does not have",
		Next: fmt.Sprintf("give the target's table a primary key or a unique key of NOT NULL columns over what the source has, such as its primary key (%s), then start again",
			strings.Join(names, ", ")),
	}
}
