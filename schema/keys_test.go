package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	columns := []Column{
		{Name: "id", DataType: "int"},
		{Name: "n", DataType: "int", Nullable: true},
		{Name: "s", DataType: "varchar", CollationID: utf8mb40900AICI, Collation: "utf8mb4_0900_ai_ci"},
		{Name: "g", DataType: "varchar", CollationID: 28, Collation: "gbk_chinese_ci"},
		{Name: "p", DataType: "geometry"},
		{Name: "v", DataType: "double", Generated: VirtualColumn},
	}
	part := func(column, prefix int) KeyPart { return KeyPart{column, prefix} }
	key := func(name string, parts ...KeyPart) *Key { return &Key{Name: name, Parts: parts} }
	for sentence, test := range map[string]struct {
		keys     []*Key
		identity string // "" for none.
		class    Class
		why      string
	}{
		"a primary key":                               {[]*Key{key("PRIMARY", part(0, 0))}, "PRIMARY", Merged, ""},
		"a primary key with a prefix":                 {[]*Key{key("PRIMARY", part(2, 3))}, "PRIMARY", Merged, ""},
		"a whole unique key of NOT NULL columns":      {[]*Key{key("a", part(1, 0)), key("b", part(2, 0), part(0, 0))}, "b", Merged, ""},
		"a nullable unique key is no key":             {[]*Key{key("a", part(1, 0))}, "", Ordered, "no primary key, and no unique key of whole NOT NULL columns"},
		"nor is one over a prefix":                    {[]*Key{key("a", part(2, 5))}, "", Ordered, "no primary key, and no unique key of whole NOT NULL columns"},
		"no key at all":                               {nil, "", Ordered, "no primary key, and no unique key of whole NOT NULL columns"},
		"a generated column is in the image":          {[]*Key{key("PRIMARY", part(0, 0)), key("u", part(5, 0))}, "PRIMARY", Merged, ""},
		"a secondary key over an expression":          {[]*Key{key("PRIMARY", part(0, 0)), key("e", part(-1, 0))}, "PRIMARY", Ordered, "unique key `e`: a part is not in the row images: an expression, or a column that only the target has"},
		"a secondary key that cannot be weighed":      {[]*Key{key("PRIMARY", part(0, 0)), key("g`", part(3, 0))}, "PRIMARY", Ordered, "unique key `g```: column `g` has collation gbk_chinese_ci, whose comparison is not known here"},
		"a primary key that cannot be weighed":        {[]*Key{key("PRIMARY", part(3, 0))}, "PRIMARY", Ordered, "unique key `PRIMARY`: column `g` has collation gbk_chinese_ci, whose comparison is not known here"},
		"a type that is not compared here":            {[]*Key{key("PRIMARY", part(0, 0)), key("p", part(4, 25))}, "PRIMARY", Ordered, "unique key `p`: column `p` has type geometry, whose comparison is not known here"},
		"an expression alone: keyless is what counts": {[]*Key{key("e", part(-1, 0))}, "", Ordered, "no primary key, and no unique key of whole NOT NULL columns"},
	} {
		t.Run(sentence, func(t *testing.T) {
			table := &Table{Columns: columns, Secondary: test.keys}
			count := len(test.keys)
			classify(table)
			got := ""
			if table.Identity != nil {
				got = table.Identity.Name
				count--
			}
			if got != test.identity || table.Class != test.class || len(table.Secondary) != count {
				t.Errorf("identity %q, class %v, %d secondary keys", got, table.Class, len(table.Secondary))
			}
			if diff := cmp.Diff(test.why, table.OrderedWhy); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCascadingFamilies(t *testing.T) {
	n := func(name string) Name { return Name{"s", name} }
	restrict := func(child, parent string) foreignKey { return foreignKey{child: n(child), parent: n(parent)} }
	cascade := func(child, parent string) foreignKey {
		return foreignKey{child: n(child), parent: n(parent), cascades: true}
	}
	for sentence, test := range map[string]struct {
		keys []foreignKey
		want []string
	}{
		"no foreign keys":                        {nil, nil},
		"none that cascades":                     {[]foreignKey{restrict("b", "a"), restrict("c", "b")}, nil},
		"a cascade ties child and parent":        {[]foreignKey{cascade("b", "a")}, []string{"a", "b"}},
		"others that touch it join":              {[]foreignKey{cascade("b", "a"), restrict("c", "b"), restrict("a", "d")}, []string{"a", "b", "c", "d"}},
		"over any number of steps":               {[]foreignKey{restrict("e", "d"), restrict("d", "c"), restrict("c", "b"), cascade("b", "a")}, []string{"a", "b", "c", "d", "e"}},
		"others apart stay out":                  {[]foreignKey{cascade("b", "a"), restrict("y", "x")}, []string{"a", "b"}},
		"a table that refers to itself":          {[]foreignKey{cascade("a", "a")}, []string{"a"}},
		"a circle ends":                          {[]foreignKey{restrict("a", "b"), restrict("b", "c"), cascade("c", "a")}, []string{"a", "b", "c"}},
		"two rules on one pair: one is enough":   {[]foreignKey{restrict("b", "a"), cascade("b", "a")}, []string{"a", "b"}},
		"the same name in another schema is not": {[]foreignKey{cascade("b", "a"), {child: Name{"t", "b"}, parent: Name{"t", "a"}}}, []string{"a", "b"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			want := map[Name]bool{}
			for _, name := range test.want {
				want[n(name)] = true
			}
			if diff := cmp.Diff(want, cascadingFamilies(test.keys)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for rule, want := range map[string]bool{"CASCADE": true, "SET NULL": true, "SET DEFAULT": true, "NO ACTION": false, "RESTRICT": false} {
		if cascades(rule) != want {
			t.Errorf("cascades(%s) = %v", rule, !want)
		}
	}
}
