package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// arranged says in a line what Arrange gives: columns, columns of the target's own, keys by the places of their parts, class.
func arranged(t *Table) string {
	names := func(columns []Column) string {
		var s []string
		for _, c := range columns {
			s = append(s, c.Name)
		}
		return strings.Join(s, ",")
	}
	line := names(t.Columns) + " +" + names(t.Added)
	for _, k := range t.UniqueKeys() {
		line += " " + k.Name
		if k == t.Identity {
			line += "*"
		}
		for _, p := range k.Parts {
			line += string("-0123456789"[p.Column+1])
			if p.Prefix > 0 {
				line += "p"
			}
		}
	}
	if t.Class == Ordered {
		line += " ordered"
	}
	return line
}

func TestArrange(t *testing.T) {
	column := func(name string, nullable bool) Column {
		return Column{Name: name, DataType: "int", Nullable: nullable}
	}
	generated := Column{Name: "g", DataType: "int", Generated: StoredColumn, Nullable: true}
	key := func(name string, parts ...KeyPart) *Key { return &Key{Name: name, Parts: parts} }
	part := func(column int) KeyPart { return KeyPart{Column: column} }
	a, b, c := column("a", false), column("b", true), column("c", false)
	for sentence, test := range map[string]struct {
		columns []Column
		keys    []*Key
		names   string
		want    string // Or the missing column.
	}{
		"the same order":                              {[]Column{a, b}, []*Key{key("PRIMARY", part(0))}, "a b", "a,b + PRIMARY*0"},
		"names are the same in any case":              {[]Column{a, b}, []*Key{key("PRIMARY", part(0))}, "B A", "b,a + PRIMARY*1"},
		"a name of the very letters comes first":      {[]Column{column("ſ", false), column("S", false), c}, nil, "c s ſ", "c,S,ſ + ordered"},
		"keys follow, prefixes stay":                  {[]Column{b, c, a}, []*Key{key("PRIMARY", part(2), KeyPart{1, 5}), key("u", part(0), part(1))}, "a b c", "a,b,c + PRIMARY*02p u12"},
		"an expression is no column":                  {[]Column{b, a}, []*Key{key("PRIMARY", part(1)), key("e", part(-1), part(0))}, "a b", "a,b + PRIMARY*0 e-1 ordered"},
		"a missing column":                            {[]Column{a, b}, nil, "a d", "d"},
		"two names for one column":                    {[]Column{a, b}, nil, "a A", "A"},
		"a column of the target's own is left alone":  {[]Column{a, b, c}, []*Key{key("PRIMARY", part(0))}, "a c", "a,c +b PRIMARY*0 ordered"},
		"a generated one does not mind to be rebuilt": {[]Column{generated, a}, []*Key{key("PRIMARY", part(1))}, "a", "a +g PRIMARY*0"},
		"unless a unique key has it":                  {[]Column{generated, a}, []*Key{key("PRIMARY", part(1)), key("u", part(0), part(1))}, "a", "a +g PRIMARY*0 u-0 ordered"},
		"a primary key of the target's own":           {[]Column{c, a}, []*Key{key("PRIMARY", part(0))}, "a", "a +c PRIMARY- ordered"},
		"one that has a part of it":                   {[]Column{c, a}, []*Key{key("PRIMARY", part(0), part(1))}, "a", "a +c PRIMARY-0 ordered"},
		"another key finds the rows then":             {[]Column{c, a}, []*Key{key("PRIMARY", part(0)), key("u", part(1))}, "a", "a +c u*0 PRIMARY- ordered"},
		"but none that may be NULL":                   {[]Column{c, b}, []*Key{key("PRIMARY", part(0)), key("u", part(1))}, "b", "b +c PRIMARY- u0 ordered"},
	} {
		t.Run(sentence, func(t *testing.T) {
			table := &Table{Schema: "s", Name: "t", Columns: test.columns, Secondary: test.keys}
			classify(table)
			before := arranged(table)
			got, missing := table.Arrange(strings.Fields(test.names))
			if missing == "" {
				missing = arranged(got)
			}
			if diff := cmp.Diff(test.want, missing); diff != "" {
				t.Error(diff)
			}
			if after := arranged(table); after != before {
				t.Errorf("the table itself became %s, was %s", after, before)
			}
		})
	}
}

// Where nothing differs the definition is not copied: it is what later comparisons of pointers rely on.
func TestArrangeKeepsWhatIsInOrder(t *testing.T) {
	table := &Table{Columns: []Column{{Name: "a"}, {Name: "b"}}}
	if got, missing := table.Arrange([]string{"A", "b"}); got != table || missing != "" {
		t.Errorf("got %v, missing %q", got, missing)
	}
}
