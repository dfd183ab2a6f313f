package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
)

// Routes are the names that schemas and tables of the source have on the target. An entry of a table goes before the
// entry of its schema; what no entry names keeps its name. Filters and rules look at the source's names, everything
// that touches the target (catalog, families, fingerprints, statements) at the target's.
//
// Worked example, {"shop": "shop_new", "shop.orders": "archive.orders_v2"}:
//
//	shop.items  → shop_new.items
//	shop.orders → archive.orders_v2
//	crm.people  → crm.people
//
// No two of the source's tables may end in one. Of entries NewRoutes sees to it; what no entry names is refused when
// it comes under the name of a routed one (Clash). Nil routes nothing. Immutable and safe for concurrent use.
type Routes struct {
	schemas map[string]string
	tables  map[Name]Name
}

// RouteError is an entry of tables.rename that makes no sense.
type RouteError struct{ Key, What, Next string }

// Error implements error.
func (e *RouteError) Error() string { return fmt.Sprintf("tables.rename: %q: %s", e.Key, e.What) }

// NewRoutes reads the entries of tables.rename: schema to schema, and schema.table to schema.table, each cut at its
// first dot. Its errors are *RouteError.
func NewRoutes(rename map[string]string) (*Routes, error) {
	r := &Routes{schemas: map[string]string{}, tables: map[Name]Name{}}
	for _, from := range slices.Sorted(maps.Keys(rename)) {
		to := rename[from]
		source, isTable, ok := splitRoute(from)
		target, alsoTable, okTo := splitRoute(to)
		switch {
		case !ok || !okTo:
			return nil, &RouteError{from, "an entry is not a schema or schema.table, written bare", `write "shop": "shop_new" or "shop.orders": "shop.orders_v2", without quotes, spaces or patterns inside`}
		case isTable != alsoTable:
			return nil, &RouteError{from, "one side is a schema and the other a table", `write schema to schema, or schema.table to schema.table`}
		case IsSystemSchema(source.Schema) || IsSystemSchema(target.Schema):
			return nil, &RouteError{from, "a system schema is never replicated, nor written to", "take the entry out"}
		case isTable:
			r.tables[source] = target
		default:
			r.schemas[source.Schema] = target.Schema
		}
	}
	return r, r.check()
}

// splitRoute reads one side of an entry.
func splitRoute(s string) (n Name, table, ok bool) {
	n.Schema, n.Table, table = strings.Cut(s, ".")
	ok = n.Schema != "" && (n.Table != "") == table && strings.TrimSpace(s) == s && !strings.ContainsAny(s, "`*?[]{}\\\"'/")
	return n, table, ok
}

// check finds entries that contradict each other. Names that differ by case only count as one: on a server with
// lower_case_table_names=1 they are.
func (r *Routes) check() error {
	const chain = "its target is itself the source of an entry, and who reads the target could not tell which table it is"
	const clash = "two entries have one target"
	seen := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(r.schemas)) {
		to := r.schemas[from]
		if _, source := r.schemas[to]; source {
			return &RouteError{from, chain, "give it a name that the source does not have"}
		}
		if seen[strings.ToLower(to)] {
			return &RouteError{from, clash, "schemas cannot be merged: give each a target of its own"}
		}
		seen[strings.ToLower(to)] = true
	}
	for _, from := range slices.SortedFunc(maps.Keys(r.tables), compareNames) {
		to := r.tables[from]
		if _, source := r.tables[to]; source && from != to {
			return &RouteError{from.String(), chain, "give it a name that the source does not have"}
		}
		if seen[strings.ToLower(to.String())] {
			return &RouteError{from.String(), clash, "give each table a target of its own"}
		}
		seen[strings.ToLower(to.String())] = true
	}
	return nil
}

func compareNames(a, b Name) int { return strings.Compare(a.String(), b.String()) }

// empty reports that nothing is routed.
func (r *Routes) empty() bool { return r == nil || len(r.schemas)+len(r.tables) == 0 }

// Schema is the target's name of a schema.
func (r *Routes) Schema(name string) string {
	if r != nil {
		if to, ok := r.schemas[name]; ok {
			return to
		}
	}
	return name
}

// Table is the target's name of a table.
func (r *Routes) Table(n Name) Name {
	if r != nil {
		if to, ok := r.tables[n]; ok {
			return to
		}
	}
	return Name{r.Schema(n.Schema), n.Table}
}

// sources are the tables of the source that end in the target's table n, the one that has the right to it first: an
// entry of its own, then one of its schema, then its own name.
func (r *Routes) sources(n Name) []Name {
	if r.empty() {
		return []Name{n}
	}
	var all []Name
	for from, to := range r.tables {
		if to == n {
			all = append(all, from)
		}
	}
	for from, to := range r.schemas {
		if s := (Name{from, n.Table}); to == n.Schema && r.Table(s) == n && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if r.Table(n) == n && !slices.Contains(all, n) {
		all = append(all, n)
	}
	return all
}

// Source is the replicated table of the source that ends in the target's table n; false when there is none.
func (r *Routes) Source(n Name, f *Filter) (Name, bool) {
	for _, s := range r.sources(n) {
		if f.Includes(s.Schema, s.Table) {
			return s, true
		}
	}
	return Name{}, false
}

// Clash refuses a replicated table of the source that would end in the same table of the target as a routed one.
func (r *Routes) Clash(n Name, f *Filter) error {
	if r.empty() {
		return nil
	}
	target := r.Table(n)
	if first, ok := r.Source(target, f); ok && first != n {
		return clash("table "+n.String(), target.String(), first.String())
	}
	return nil
}

// clashOfSchema is Clash for a schema that a statement creates, alters or drops.
func (r *Routes) clashOfSchema(name string, f *Filter) error {
	if r.empty() || r.Schema(name) != name {
		return nil
	}
	for from, to := range r.schemas {
		if to == name && from != name && f.IncludesSchema(from) {
			return clash("schema "+name, to, from)
		}
	}
	return nil
}

func clash(what, target, first string) *change.Fault {
	return &change.Fault{Code: "BS-ROUTE-CLASH", Class: change.ClassPerson, Where: target,
		What: fmt.Sprintf("the source's %s would end in %s, where tables.rename puts %s", what, target, first),
		Next: "exclude one of the two (tables.exclude), or give the entry of tables.rename another target; then start again"}
}

// whole reports whether the tables of a schema and those of its target are the same: no entry takes a table of it
// elsewhere or brings one of another schema in.
func (r *Routes) whole(schema string) bool {
	if r == nil {
		return true
	}
	target := r.Schema(schema)
	for from, to := range r.tables {
		if (from.Schema == schema) != (to.Schema == target) {
			return false
		}
	}
	return true
}

// String is the canonical form, for the hash of the configuration; "" when nothing is routed.
func (r *Routes) String() string {
	if r == nil {
		return ""
	}
	var lines []string
	for from, to := range r.schemas {
		lines = append(lines, from+" -> "+to)
	}
	for from, to := range r.tables {
		lines = append(lines, from.String()+" -> "+to.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
