package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustFilter(t testing.TB, include, exclude string) *Filter {
	t.Helper()
	f, err := NewFilter(FilterConfig{Include: strings.Fields(include), Exclude: strings.Fields(exclude)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilterDecidesByName(t *testing.T) {
	for sentence, test := range map[string]struct {
		include, exclude, schema, table string
		want                            bool
	}{
		"without patterns everything is replicated":        {"", "", "shop", "orders", true},
		"system schemas never are":                         {"*.*", "", "mysql", "user", false},
		"nor in capitals":                                  {"*.*", "", "MySQL", "user", false},
		"nor is binseal's own":                             {"", "", "binseal", "progress", false},
		"an include leaves the rest out":                   {"shop.*", "", "other", "t", false},
		"exclude wins":                                     {"shop.*", "shop.tmp_*", "shop", "tmp_1", false},
		"exclude takes what it names only":                 {"shop.*", "shop.tmp_*", "shop", "tmp", true},
		"a question mark is one character":                 {"shop.t?", "", "shop", "té", true},
		"and not none":                                     {"shop.t?", "", "shop", "t", false},
		"a star is any run, also in the middle":            {"s*p.o*s", "", "shop", "orders", true},
		"stars go back as far as needed":                   {"a.*ab*abc", "", "a", "xabababc", true},
		"a pattern without a dot is a whole schema":        {"shop", "", "shop", "orders", true},
		"names are compared with their case":               {"shop.Orders", "", "shop", "orders", false},
		"the first dot divides: the table may have more":   {"shop.a.b", "", "shop", "a.b", true},
		"a pattern is anchored at its end":                 {"shop.orders", "", "shop", "orders_old", false},
		"a pattern's special characters do not cross":      {"shop*.t", "", "shop", "x.t", false},
		"an underscore is no wildcard, unlike in LIKE":     {"shop.a_b", "", "shop", "axb", false},
		"a schema with only excluded tables by name stays": {"", "shop.a", "shop", "b", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := mustFilter(t, test.include, test.exclude)
			if got := f.Includes(test.schema, test.table); got != test.want {
				t.Errorf("Includes(%s, %s) = %v under %s", test.schema, test.table, got, f)
			}
		})
	}
}

func TestFilterIncludesSchema(t *testing.T) {
	for sentence, test := range map[string]struct {
		include, exclude string
		some, all        bool
	}{
		"no patterns: all of it":                     {"", "", true, true},
		"one table: some of it":                      {"shop.orders", "", true, false},
		"another schema: nothing":                    {"other.*", "", false, false},
		"the schema excluded: nothing":               {"", "shop.*", false, false},
		"a table excluded: some of it":               {"", "shop.tmp", true, false},
		"another schema excluded: all of it":         {"", "other.*", true, true},
		"a pattern that only could match: some":      {"sh*.o*", "", true, false},
		"two stars are a star":                       {"shop.**", "", true, true},
		"a schema pattern excluded with some tables": {"", "s*.tmp_*", true, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := mustFilter(t, test.include, test.exclude)
			if some, all := f.IncludesSchema("shop"), f.includesAllOf("shop"); some != test.some || all != test.all {
				t.Errorf("got some=%v all=%v under %s", some, all, f)
			}
			if f.IncludesSchema("sys") {
				t.Error("a system schema is included")
			}
		})
	}
}

func TestFilterStringIsCanonical(t *testing.T) {
	a := mustFilter(t, "b.* a.*", "a.x a.x b.y").String()
	b := mustFilter(t, "a.* b.* a.*", "b.y a.x").String()
	if a != b {
		t.Error(cmp.Diff(a, b))
	}
	if want := "+a.* +b.* -a.x -b.y"; a != want {
		t.Error(cmp.Diff(want, a))
	}
	if got := mustFilter(t, "", "").String(); got != "+*.*" {
		t.Errorf("the default filter is %q", got)
	}
}

func TestFilterRefusesBadPatterns(t *testing.T) {
	for sentence, pattern := range map[string]string{
		"empty":                    "",
		"spaces around it":         " shop.*",
		"no schema":                ".orders",
		"no table":                 "shop.",
		"quoted as in SQL":         "`shop`.`orders`",
		"a class, which globs had": "shop.[ab]",
		"a system schema":          "mysql.user",
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := NewFilter(FilterConfig{Include: []string{pattern}})
			if err == nil || !strings.Contains(err.Error(), "tables.include") || !strings.Contains(err.Error(), pattern) {
				t.Errorf("the error must name list and pattern: %v", err)
			}
		})
	}
	if _, err := NewFilter(FilterConfig{Exclude: []string{"mysql.*"}}); err != nil {
		t.Errorf("excluding what is never included is harmless: %v", err)
	}
}
