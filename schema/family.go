package schema

import (
	"context"
	"database/sql"
	"strings"
)

// foreignKeysQuery: one row per foreign key of the server.
const foreignKeysQuery = `/* binseal schema */ SELECT CONSTRAINT_SCHEMA, TABLE_NAME, UNIQUE_CONSTRAINT_SCHEMA,
  REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS`

// foreignKey ties a child table to the parent that it refers to.
type foreignKey struct {
	child, parent Name
	cascades      bool
}

// loadFamilies reads the foreign keys and finds the cascading families, once until Forget.
func (c *Catalog) loadFamilies(ctx context.Context) error {
	if c.families != nil {
		return nil
	}
	var keys []foreignKey
	err := each(ctx, c.q, foreignKeysQuery, nil, func(rows *sql.Rows) error {
		var k foreignKey
		var onUpdate, onDelete string
		err := rows.Scan(&k.child.Schema, &k.child.Table, &k.parent.Schema, &k.parent.Table, &onUpdate, &onDelete)
		k.cascades = cascades(onUpdate) || cascades(onDelete)
		keys = append(keys, k)
		return err
	})
	if err != nil {
		return err
	}
	c.families = cascadingFamilies(keys)
	return nil
}

// cascades reports a rule by which the server changes child rows by itself.
func cascades(rule string) bool {
	switch strings.ToUpper(rule) {
	case "CASCADE", "SET NULL", "SET DEFAULT":
		return true
	}
	return false
}

// cascadingFamilies are the tables that are tied, over any number of foreign keys of any rule, to a cascading one.
// With a ←CASCADE– b ←RESTRICT– c all three are one family: a row of c must be gone before the cascade from a to b.
func cascadingFamilies(keys []foreignKey) map[Name]bool {
	neighbours := make(map[Name][]Name)
	var reached []Name
	for _, k := range keys {
		neighbours[k.child] = append(neighbours[k.child], k.parent)
		neighbours[k.parent] = append(neighbours[k.parent], k.child)
		if k.cascades {
			reached = append(reached, k.child)
		}
	}
	family := make(map[Name]bool)
	for len(reached) > 0 {
		n := reached[len(reached)-1]
		reached = reached[:len(reached)-1]
		if family[n] {
			continue
		}
		family[n] = true
		reached = append(reached, neighbours[n]...)
	}
	return family
}
