package schema

import (
	"slices"
	"strings"
)

// Arrange gives the table as a source sees it whose columns are called names, in that order: Columns are these alone, and
// the parts of keys are their places. Columns that only the target has are in Added; a part of a key over one of them is
// a part that row images do not show, as an expression is. Worked example, names (id, qty):
//
//	t: qty, shop DEFAULT 1, id, PRIMARY KEY (id), UNIQUE (shop, qty)
//	→  id, qty, PRIMARY KEY (part 0), UNIQUE (not shown, part 1); Added: shop
//
// The table itself comes back where nothing differs. missing is the first name that has no column; "" when each has.
// The source is asked for nothing: the names are those of the very row event, so an ALTER in between cannot mix them up.
func (t *Table) Arrange(names []string) (arranged *Table, missing string) {
	places, missing := t.places(names)
	if missing != "" {
		return nil, missing
	}
	if len(names) == len(t.Columns) && slices.IsSorted(places) {
		return t, ""
	}
	a := *t
	a.Identity, a.Secondary, a.Class, a.OrderedWhy = nil, nil, Merged, ""
	a.Columns = make([]Column, len(places))
	there := slices.Repeat([]int{-1}, len(t.Columns)) // From a place in t to that in a.
	for i, place := range places {
		a.Columns[i], there[place] = t.Columns[place], i
	}
	for place, i := range there {
		if i < 0 {
			a.Added = append(a.Added, t.Columns[place])
		}
	}
	for _, k := range t.UniqueKeys() {
		a.Secondary = append(a.Secondary, k.moved(there))
	}
	classify(&a)
	a.keepAdded()
	return &a, ""
}

// places finds each name's column. Names of columns are the same whatever their case; one that is there letter by letter
// comes first.
func (t *Table) places(names []string) (places []int, missing string) {
	exact, folded := make(map[string]int, len(t.Columns)), make(map[string]int, len(t.Columns))
	for i := range t.Columns {
		name := t.Columns[i].Name
		exact[name], folded[strings.ToLower(name)] = i, i
	}
	taken := make([]bool, len(t.Columns))
	for _, name := range names {
		i, ok := exact[name]
		if !ok {
			i, ok = folded[strings.ToLower(name)]
		}
		if !ok || taken[i] {
			return nil, name
		}
		taken[i] = true
		places = append(places, i)
	}
	return places, ""
}

// moved is the key with its parts at other places.
func (k *Key) moved(there []int) *Key {
	m := &Key{Name: k.Name, Parts: slices.Clone(k.Parts), ZoneBound: k.ZoneBound}
	for i := range m.Parts {
		if p := &m.Parts[i]; p.Column >= 0 {
			p.Column = there[p.Column]
		}
	}
	return m
}

// UniqueKeys lists all unique keys, the identity first.
func (t *Table) UniqueKeys() []*Key {
	if t.Identity == nil {
		return t.Secondary
	}
	return append([]*Key{t.Identity}, t.Secondary...)
}

// keepAdded makes a table ordered when it has columns of the target's own that hold values. Merged changes write some rows
// anew (a key that changes, unique values that change places, a half-done epoch), and these columns would be back at
// their defaults; ordered ones are an UPDATE each, which leaves them alone.
func (t *Table) keepAdded() {
	for i := range t.Added {
		if c := &t.Added[i]; c.Generated == NotGenerated && t.Class == Merged {
			t.Class, t.OrderedWhy = Ordered, "column "+QuoteName(c.Name)+" is the target's own: it would lose its value in a row that is written anew"
		}
	}
}
