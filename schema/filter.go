package schema

import (
	"fmt"
	"slices"
	"strings"
)

// FilterConfig says which tables are replicated, and under which names. Patterns are schema.table with * (any run of characters) and
// ? (one character); a pattern without a dot names a whole schema. To match a dot inside a name use ? or *.
type FilterConfig struct {
	Include []string `yaml:"include"` // Empty: every table that is not excluded.
	Exclude []string `yaml:"exclude"` // Wins over Include.
	// Rename gives names on the target: schema to schema, schema.table to schema.table. See Routes.
	Rename map[string]string `yaml:"rename"`
}

// Filter decides by name which tables are replicated. It is immutable and safe for concurrent use.
//
// Names are compared byte for byte, as a server with lower_case_table_names=0 compares them. A server with 1 logs
// names in lower case, so patterns must be written in lower case there; preflight compares the setting of both
// sides. System schemas and binseal's own are never included, whatever the patterns say.
type Filter struct {
	include, exclude []glob
}

// glob is one pattern, split at its first dot.
type glob struct{ schema, table string }

// NewFilter compiles a filter; its errors name the bad pattern.
func NewFilter(c FilterConfig) (*Filter, error) {
	include, err := compile("include", c.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := compile("exclude", c.Exclude)
	if err != nil {
		return nil, err
	}
	if len(include) == 0 {
		include = []glob{{"*", "*"}}
	}
	return &Filter{include: include, exclude: exclude}, nil
}

// compile turns patterns into globs, sorted and without duplicates, so that String is canonical.
func compile(list string, patterns []string) ([]glob, error) {
	var globs []glob
	for _, p := range patterns {
		if strings.TrimSpace(p) != p || p == "" {
			return nil, fmt.Errorf("tables.%s: pattern %q is empty or has spaces around it", list, p)
		}
		schema, table, dotted := strings.Cut(p, ".")
		if !dotted {
			table = "*"
		}
		if schema == "" || table == "" {
			return nil, fmt.Errorf("tables.%s: pattern %q is not schema.table", list, p)
		}
		if strings.ContainsAny(p, "`[]{}\\\"'") {
			return nil, fmt.Errorf("tables.%s: pattern %q has quotes or brackets; only * and ? are special, names are written bare", list, p)
		}
		if IsSystemSchema(schema) && list == "include" {
			return nil, fmt.Errorf("tables.%s: pattern %q names a system schema, which is never replicated", list, p)
		}
		globs = append(globs, glob{schema, table})
	}
	slices.SortFunc(globs, func(a, b glob) int {
		return strings.Compare(a.schema+"."+a.table, b.schema+"."+b.table)
	})
	return slices.Compact(globs), nil
}

// Includes reports whether a table is replicated.
func (f *Filter) Includes(schema, table string) bool {
	if IsSystemSchema(schema) {
		return false
	}
	matches := func(g glob) bool { return match(g.schema, schema) && match(g.table, table) }
	return slices.ContainsFunc(f.include, matches) && !slices.ContainsFunc(f.exclude, matches)
}

// IncludesSchema reports whether a table of the schema could be replicated: some include pattern matches the
// schema, and no exclude pattern takes all of it.
func (f *Filter) IncludesSchema(schema string) bool {
	if IsSystemSchema(schema) {
		return false
	}
	whole := func(g glob) bool { return strings.Trim(g.table, "*") == "" && match(g.schema, schema) }
	some := func(g glob) bool { return match(g.schema, schema) }
	return slices.ContainsFunc(f.include, some) && !slices.ContainsFunc(f.exclude, whole)
}

// includesAllOf reports that every table which the schema could have is replicated.
func (f *Filter) includesAllOf(schema string) bool {
	whole := func(g glob) bool { return strings.Trim(g.table, "*") == "" && match(g.schema, schema) }
	some := func(g glob) bool { return match(g.schema, schema) }
	return slices.ContainsFunc(f.include, whole) && !slices.ContainsFunc(f.exclude, some)
}

// String is the canonical form: equal for filters that were written in another order. It goes into the hash of the
// configuration that the checkpoint keeps.
func (f *Filter) String() string {
	var b strings.Builder
	for _, list := range []struct {
		sign  byte
		globs []glob
	}{{'+', f.include}, {'-', f.exclude}} {
		for _, g := range list.globs {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%c%s.%s", list.sign, g.schema, g.table)
		}
	}
	return b.String()
}

// match compares a name with a pattern of * and ?, where ? is one character, not one byte. Linear in practice: on a
// mismatch it goes back to the last star only.
func match(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
