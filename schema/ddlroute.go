package schema

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/binseal/binseal/change"
)

// Statement gives a statement that is to run, and its verdict, under the target's names. Each name that the statement
// has outside of bodies is written anew, with its schema, in exactly the bytes where this package's reader found it:
//
//	{"shop": "shop_new"}, default database shop
//	ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b (id), RENAME crm.`a`
//	ALTER TABLE `shop_new`.`a` ADD FOREIGN KEY (x) REFERENCES `shop_new`.`b` (id), RENAME `crm`.`a`
//
// Then both readers look at the result, and must find each name of the source routed and nothing else. Bodies (of
// views, routines, triggers and events) and statements that are not understood are never rewritten: where they could
// name something that is routed they are a *change.Fault BS-DDL-ROUTED. The statement of a rewriting rule is taken as
// it is written, on the target's names. f decides which of the statement's names may not clash.
func (r *Routes) Statement(v *Verdict, st *change.Statement, f *Filter) (*Verdict, *change.Statement, error) {
	if r.empty() || v.DDL == nil {
		return v, st, nil
	}
	out, routed := *st, *v
	out.Database = r.Schema(st.Database)
	switch {
	case v.Action == Rewrite:
		plain := change.Statement{SQL: v.DDL.SQL, Database: out.Database, Session: st.Session, LowerCaseNames: st.LowerCaseNames}
		d, err := ParseDDL(&plain)
		if err != nil {
			return nil, nil, err
		}
		d.OpensTransaction = v.DDL.OpensTransaction
		routed.DDL = d
		return &routed, &out, nil
	case v.DDL.Blind, hasBody(v.DDL.Kind):
		if r.touches(st) {
			return nil, nil, routedBody(v.Kind)
		}
		return v, st, nil
	}
	if err := r.admits(v.DDL, f); err != nil {
		return nil, nil, err
	}
	out.SQL = r.splice(v.DDL, st.SQL)
	d, err := ParseDDL(&out)
	if err != nil || !r.agree(v.DDL, d) || !r.agreeTiDB(st, &out) || !spellable(out.SQL, st) {
		return nil, nil, routedFault("the names in a " + v.Kind + " cannot be rewritten with certainty")
	}
	routed.DDL = d
	return &routed, &out, nil
}

// hasBody reports a statement with names inside of it that nobody reads here.
func hasBody(k Kind) bool {
	return slices.Contains([]Kind{CreateView, AlterView, CreateRoutine, CreateTrigger, CreateEvent, AlterEvent}, k)
}

func routedFault(what string) *change.Fault {
	return &change.Fault{Code: "BS-DDL-ROUTED", Class: change.ClassPerson, What: what,
		Next: "make the change on the target by hand, under its names there"}
}

func routedBody(kind string) *change.Fault {
	return routedFault("a " + kind + " may name what tables.rename routes, and its body is not rewritten")
}

// touches reports whether a text could name something that is routed: a schema, which may be the default one, and
// for the entry of a table also its name, stand in it as words.
func (r *Routes) touches(st *change.Statement) bool {
	tokens, err := scan(st.SQL, sqlMode(st))
	if err != nil {
		return true
	}
	has := func(name string) bool {
		return slices.ContainsFunc(tokens, func(t token) bool {
			return (t.kind == word || t.kind == quoted) && strings.EqualFold(t.text, name)
		})
	}
	schema := func(name string) bool { return strings.EqualFold(st.Database, name) || has(name) }
	for from := range r.schemas {
		if schema(from) {
			return true
		}
	}
	for from := range r.tables {
		if schema(from.Schema) && has(from.Table) {
			return true
		}
	}
	return false
}

// admits refuses what would do something else on the target than on the source.
func (r *Routes) admits(d *DDL, f *Filter) error {
	for _, n := range d.Tables {
		if f.Includes(n.Schema, n.Table) {
			if err := r.Clash(n, f); err != nil {
				return err
			}
		}
	}
	for _, db := range d.Databases {
		if err := r.clashOfSchema(db, f); err != nil {
			return err
		}
		if d.Kind == DropDatabase && !r.whole(db) {
			return routedFault("a DROP DATABASE would drop other tables than on the source: tables.rename puts a table of the schema elsewhere, or one of another schema into it")
		}
	}
	if d.Kind == DropTrigger && !r.whole(d.Object.Schema) {
		return routedFault("a DROP TRIGGER does not tell whether tables.rename puts its table into another schema")
	}
	moved := d.Kind == AlterTable && len(d.Rename) > 0 && d.Rename[0].From.Schema != d.Rename[0].To.Schema
	if moved && len(d.names) > len(d.Tables) { // The server may resolve the name in either schema.
		return routedFault("an ALTER TABLE moves a table to another schema and adds a foreign key")
	}
	return nil
}

// to gives the target's name for what a reference names.
func (r *Routes) to(n reference) Name {
	if n.object || n.name.Table == "" {
		return Name{r.Schema(n.name.Schema), n.name.Table}
	}
	return r.Table(n.name)
}

// splice writes the target's names into the source's text.
func (r *Routes) splice(d *DDL, sql string) string {
	names := slices.Clone(d.names)
	slices.SortFunc(names, func(a, b reference) int { return a.at.from - b.at.from })
	var b strings.Builder
	at := 0
	for _, n := range names {
		b.WriteString(sql[at:n.at.from])
		if to := r.to(n); to.Table == "" {
			b.WriteString(QuoteName(to.Schema))
		} else {
			b.WriteString(to.Quoted())
		}
		at = n.at.to
	}
	b.WriteString(sql[at:])
	return b.String()
}

// agree reports that d is the source's statement s with all names routed, in the same order.
func (r *Routes) agree(s, d *DDL) bool {
	same := func(a, b []reference) bool {
		return slices.EqualFunc(a, b, func(a, b reference) bool { return r.to(a) == b.name && a.object == b.object })
	}
	tables := slices.EqualFunc(s.Tables, d.Tables, func(a, b Name) bool { return r.Table(a) == b })
	databases := slices.EqualFunc(s.Databases, d.Databases, func(a, b string) bool { return r.Schema(a) == b })
	return s.Kind == d.Kind && tables && databases && same(s.names, d.names) && len(s.Rename) == len(d.Rename) &&
		s.OpensTransaction == d.OpensTransaction && (Name{r.Schema(s.Object.Schema), s.Object.Table}) == d.Object
}

// agreeTiDB lets the TiDB parser find the names of both texts, wherever they stand. A text that it does not accept
// says nothing.
func (r *Routes) agreeTiDB(from, to *change.Statement) bool {
	tree := parseTiDB(from.SQL, sqlMode(from))
	if tree == nil {
		return true
	}
	a, b := tablesInAST(tree), tablesInAST(parseTiDB(to.SQL, sqlMode(to)))
	resolve := func(n Name, st *change.Statement) Name {
		if n.Schema == "" {
			n.Schema = st.Database
		}
		if st.LowerCaseNames {
			return n.lower()
		}
		return n
	}
	return slices.EqualFunc(a, b, func(x, y Name) bool {
		// A foreign key's table without a schema is in the schema of its own table: the first name.
		want := r.Table(resolve(x, from))
		if x.Schema == "" && len(a) > 0 {
			own := x
			own.Schema = resolve(a[0], from).Schema
			if own = resolve(own, from); y == r.Table(own) {
				return true
			}
		}
		return y == want
	})
}

// tablesInAST collects all names of tables in a tree, as they are written and in their order.
func tablesInAST(node ast.StmtNode) []Name {
	if node == nil {
		return nil
	}
	var c nameCollector
	node.Accept(&c)
	return c.names
}

// nameCollector implements ast.Visitor.
type nameCollector struct{ names []Name }

// Enter implements ast.Visitor.
func (c *nameCollector) Enter(n ast.Node) (ast.Node, bool) {
	if t, ok := n.(*ast.TableName); ok {
		c.names = append(c.names, Name{t.Schema.O, t.Name.O})
	}
	return n, false
}

// Leave implements ast.Visitor.
func (c *nameCollector) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// spellable reports that a rewritten text reads the same in the client character set of its event: names are written
// in UTF-8.
func spellable(sql string, st *change.Statement) bool {
	ascii := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }
	if ascii(sql) {
		return true
	}
	switch id := st.Session.CharsetClient; {
	case id == 0, id == 33, id == 83, id >= 192 && id <= 215, id == 223, // utf8mb3; 0: not carried.
		id == 45, id == 46, id >= 224 && id <= 247, id >= 255 && id <= 323: // utf8mb4.
		return true
	}
	return false
}

// back is a statement on the target's names under the names that filters know: those of the source.
func (r *Routes) back(d *DDL, f *Filter) *DDL {
	if r.empty() {
		return d
	}
	source := *d
	source.Tables, source.Databases = slices.Clone(d.Tables), slices.Clone(d.Databases)
	for i, n := range d.Tables {
		if s, ok := r.Source(n, f); ok {
			source.Tables[i] = s
		}
	}
	for i, db := range d.Databases {
		source.Databases[i] = r.backSchema(db, f)
	}
	source.Object.Schema = r.backSchema(d.Object.Schema, f)
	return &source
}

func (r *Routes) backSchema(name string, f *Filter) string {
	for from, to := range r.schemas {
		if to == name && f.IncludesSchema(from) {
			return from
		}
	}
	return name
}

// Concerns decides by rule and filter whether a statement is to run on the target. Its fault is that of DDL.Filtered.
func (v *Verdict) Concerns(f *Filter, r *Routes) (bool, error) {
	switch {
	case v.DDL == nil:
		return false, nil
	case v.DDL.Blind:
		return true, nil
	case v.Action == Rewrite:
		return r.back(v.DDL, f).Filtered(f)
	}
	run, err := v.DDL.Filtered(f)
	if err != nil && v.Action == Apply {
		return true, nil // The operator's word for a statement that names excluded tables too.
	}
	return run, err
}
