package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/binseal/binseal/schema"
)

// supportedTypes are the column types that row changes can carry; others (MariaDB's own) halt the stream (invariant 6).
// Every character set of MySQL is carried.
var supportedTypes = []string{
	"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year",
	"date", "time", "datetime", "timestamp", "char", "varchar", "binary", "varbinary", "enum", "set", "json",
	"tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob",
	"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
	"geometrycollection", "geomcollection", "vector",
}

// sourceOwnCascades is the first version whose log carries the rows that a cascade changed (hazards: row events
// with flag 0x10).
const sourceOwnCascades = 906

// tables checks the included tables: first each by itself, as the target has it where it has it, then the two
// sides against each other.
func (c *checker) tables(source, target *server) {
	if source == nil && target == nil {
		return // Nobody has looked: it would send the operator to tables.include.
	}
	if source != nil {
		c.mariadbTables(source)
	}
	all := map[string]*table{}
	if source != nil {
		maps.Copy(all, bySource(source.tables))
	}
	if target != nil {
		maps.Copy(all, bySource(target.tables))
	}
	c.seen = len(all)
	c.want(len(all) > 0, Finding{
		Code: "TABLES", Severity: Warn, Seen: count(len(all), "included table") + " visible",
		Why: "nothing matches tables.include, or the accounts may not see it: there is nothing to check here",
		Fix: "correct tables.include in the config, or GRANT SELECT on the schemas",
	})
	if len(all) == 0 {
		return
	}
	c.unsupported(source, target)
	c.generated(all)
	c.travel(all, source, target)
	if source != nil {
		c.visible(source, target)
	}
	if source != nil && target != nil && len(source.tables) > 0 {
		c.compare(source, target)
	}
}

// unsupported names the columns that would halt the stream at their first row.
func (c *checker) unsupported(sides ...*server) {
	var bad []string
	for _, s := range sides {
		if s == nil {
			continue
		}
		for _, t := range sorted(s.tables) {
			for _, col := range t.columns {
				if !slices.Contains(supportedTypes, col.dataType) {
					bad = append(bad, t.source.String()+"."+col.name+": "+col.dataType)
				}
			}
		}
	}
	slices.Sort(bad)
	bad = slices.Compact(bad)
	c.want(len(bad) == 0, Finding{
		Code: "TABLES_UNSUPPORTED", Severity: Must, Seen: count(len(bad), "column") + " of a type that is not supported",
		Objects: bad, Why: "the stream halts at the first change of such a table",
		Fix: "exclude the tables (tables.exclude in the config) and copy them in another way",
	})
}

// travel names the tables whose changes cannot be merged.
func (c *checker) travel(all map[string]*table, source, target *server) {
	var keyless, cascading, engines []string
	for _, t := range sorted(all) {
		if !t.keyed {
			keyless = append(keyless, t.name)
		}
		for _, name := range t.cascades {
			cascading = append(cascading, t.name+": "+name)
		}
	}
	if source != nil {
		for _, t := range sorted(source.tables) {
			if !strings.EqualFold(t.engine, "InnoDB") {
				engines = append(engines, t.name+": "+t.engine)
			}
		}
	}
	c.want(len(keyless) == 0, Finding{
		Code: "TABLES_KEYLESS", Severity: Warn, Seen: count(len(keyless), "included table") + " without a usable key", Objects: keyless,
		Why: "their changes are applied one by one in the source's order, and each UPDATE and DELETE scans the table",
		Fix: "add a primary key, or a unique key whose columns are NOT NULL",
	})
	left := source == nil || source.mariaDB() || source.major() < sourceOwnCascades || source.on("innodb_native_foreign_keys")
	severity, why := Info, "the source logs what a cascade changes, so nothing is lost; the source is 9.6 or later"
	if left {
		severity = Warn
		why = "the source leaves cascades to its replica, so these tables and those tied to them are applied one by one, in order"
	}
	c.want(len(cascading) == 0, Finding{
		Code: "TABLES_CASCADING", Severity: severity, Why: why, Objects: cascading,
		Seen: count(len(cascading), "foreign key") + " with CASCADE, SET NULL or SET DEFAULT", Fix: "",
	})
	var native string
	known := false // Servers without the variable run cascades in InnoDB.
	if target != nil {
		native, known = target.vars["innodb_native_foreign_keys"]
	}
	c.want(!left || !known || strings.EqualFold(native, "ON") || len(cascading) == 0, Finding{
		Code: "TARGET_CASCADES", Severity: Must, Seen: "innodb_native_foreign_keys=" + native, Objects: cascading,
		Why: "the source leaves cascades to the target, which runs them outside of InnoDB and can leave children behind without an error; the stream would halt at the first",
		Fix: "start the target with innodb_native_foreign_keys=ON",
	})
	c.want(len(engines) == 0, Finding{
		Code: "SOURCE_TABLE_ENGINE", Severity: Warn, Seen: count(len(engines), "included table") + " not in InnoDB on the source", Objects: engines,
		Why: "what a transaction changed in them stays when the transaction is rolled back, and is logged apart from it",
		Fix: "ALTER TABLE … ENGINE=InnoDB on the source",
	})
}

// visible says when the source's account cannot see tables, since then nothing is compared.
func (c *checker) visible(source, target *server) {
	var hidden []string
	if target != nil {
		for _, t := range sorted(target.tables) {
			if source.tables[t.source.String()] == nil && !source.may("SELECT", t.source.Schema, t.source.Table) {
				hidden = append(hidden, t.source.String())
			}
		}
	}
	c.want(len(hidden) == 0, Finding{
		Code: "SOURCE_SELECT", Severity: Warn, Objects: hidden,
		Seen: choose(len(hidden) == 0, "the account on the source may see the tables",
			"unverified: the account on the source may not see "+count(len(hidden), "included table")),
		Why: "their definitions were not compared; a difference would halt the stream at the first row",
		Fix: fmt.Sprintf("GRANT SELECT ON the included schemas TO %s", source.account()),
	})
}

// compare holds the target's tables against the source's.
func (c *checker) compare(source, target *server) {
	var missing, clashes []string
	columns := layouts{named: strings.EqualFold(source.vars["binlog_row_metadata"], "FULL")}
	onTarget := bySource(target.tables)
	for _, s := range sorted(source.tables) {
		if c.options.Routes.Clash(s.source, c.options.Filter) != nil {
			clashes = append(clashes, s.name)
			continue
		}
		t := onTarget[s.name]
		if t == nil {
			missing = append(missing, routedName(s.source, c.options.Routes))
			continue
		}
		columns.compare(s, t)
	}
	c.want(len(clashes) == 0, Finding{
		Code: "TABLES_ROUTE_CLASH", Severity: Must, Objects: clashes,
		Seen: count(len(clashes), "included table") + " of the source under the target's name of another one",
		Why:  "tables.rename would put two tables of the source into one; the stream halts at the first change of such a table",
		Fix:  "exclude one of the two (tables.exclude), or give the entry of tables.rename another target",
	})
	severity := Must
	if c.options.FromPast {
		severity = Warn
	}
	c.want(len(missing) == 0, Finding{
		Code: "TARGET_TABLES_MISSING", Severity: severity, Objects: missing,
		Seen: count(len(missing), "included table") + " of the source not on the target",
		Why: "the stream halts at the first row of such a table, unless the log itself creates it; " +
			"an account that has no privilege on a table does not see it either",
		Fix: "copy the definitions and the data to the target first, and start at the copy's position",
	})
	c.columns(&columns)
}

// routedName is a table of the source, with its name on the target where that is another one.
func routedName(n schema.Name, r *schema.Routes) string {
	if to := r.Table(n); to != n {
		return n.String() + " (" + to.String() + " on the target)"
	}
	return n.String()
}

// sorted gives the tables in the order of their names, so that two checks of one state print the same.
func sorted(tables map[string]*table) []*table {
	out := make([]*table, 0, len(tables))
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		out = append(out, tables[name])
	}
	return out
}

// count is "no tables", "1 table", "2 tables".
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	default:
		return fmt.Sprintf("%d %ss", n, what)
	}
}

// choose words a fact by whether it holds.
func choose(holds bool, yes, no string) string {
	if holds {
		return yes
	}
	return no
}
