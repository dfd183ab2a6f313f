package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// shopRoutes: one schema moves, one of its tables moves elsewhere, and one table gets another name where it is.
func shopRoutes(t *testing.T) *Routes {
	t.Helper()
	r, err := NewRoutes(map[string]string{"shop": "shop_new", "shop.orders": "archive.orders_v2", "crm.people": "crm.persons"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func everything(t *testing.T) *Filter {
	t.Helper()
	f, err := NewFilter(FilterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRoutesName(t *testing.T) {
	r := shopRoutes(t)
	for from, to := range map[Name]Name{
		{"shop", "items"}:  {"shop_new", "items"},
		{"shop", "orders"}: {"archive", "orders_v2"},
		{"crm", "people"}:  {"crm", "persons"},
		{"crm", "orders"}:  {"crm", "orders"},
	} {
		if got := r.Table(from); got != to {
			t.Errorf("%s goes to %s, want %s", from, got, to)
		}
		if got, ok := r.Source(to, everything(t)); !ok || got != from {
			t.Errorf("%s comes from %s, want %s", to, got, from)
		}
	}
	if got := (*Routes)(nil).Table(Name{"a", "b"}); got != (Name{"a", "b"}) {
		t.Errorf("without routes a.b goes to %s", got)
	}
}

func TestNewRoutesRefuses(t *testing.T) {
	for what, rename := range map[string]map[string]string{
		"a chain of schemas":       {"a": "b", "b": "c"},
		"a swap of tables":         {"a.x": "a.y", "a.y": "a.x"},
		"two schemas in one":       {"a": "c", "b": "c"},
		"two tables in one":        {"a.x": "c.t", "b.x": "c.t"},
		"differing by case only":   {"a.x": "c.t", "b.x": "C.T"},
		"a schema to a table":      {"a": "b.c"},
		"a table to a schema":      {"a.b": "c"},
		"from a system schema":     {"mysql": "x"},
		"into a system schema":     {"x.t": "mysql.user"},
		"into binseal's schema":    {"x": "binseal"},
		"a pattern":                {"shop.*": "shop_new.*"},
		"quotes":                   {"`a`": "b"},
		"no target":                {"a": ""},
		"a table without its name": {"a.": "b."},
	} {
		_, err := NewRoutes(rename)
		if e, ok := errors.AsType[*RouteError](err); !ok || e.Key == "" || e.Next == "" {
			t.Errorf("%s: error %v, want one that names the entry and the next step", what, err)
		}
	}
}

// A table that no entry names, under the name that a routed one has on the target, would end in the same table.
func TestRoutesClash(t *testing.T) {
	r := shopRoutes(t)
	narrow, err := NewFilter(FilterConfig{Include: []string{"shop_new", "crm", "archive"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		table  Name
		filter *Filter
		clash  bool
	}{
		{Name{"shop_new", "items"}, everything(t), true},
		{Name{"shop_new", "items"}, narrow, false}, // shop itself is not replicated.
		{Name{"shop_new", "orders"}, everything(t), false},
		{Name{"archive", "orders_v2"}, everything(t), true},
		{Name{"archive", "other"}, everything(t), false},
		{Name{"crm", "persons"}, everything(t), true},
		{Name{"crm", "people"}, everything(t), false},
		{Name{"shop", "orders"}, everything(t), false},
	} {
		err := r.Clash(c.table, c.filter)
		if got := err != nil; got != c.clash || got && change.FaultOf(err).Code != "BS-ROUTE-CLASH" {
			t.Errorf("%s under %s: %v", c.table, c.filter, err)
		}
	}
}

// routed is a statement of default database shop as it goes to the target.
func routed(t *testing.T, st *change.Statement) (*Verdict, *change.Statement, error) {
	t.Helper()
	v, err := (*Rules)(nil).Judge(st)
	if err != nil {
		t.Fatalf("%s: %v", st.SQL, err)
	}
	return shopRoutes(t).Statement(v, st, everything(t))
}

func TestRoutesRewriteNamesInStatements(t *testing.T) {
	for sql, want := range map[string]string{
		"create table items (id int)":                 "create table `shop_new`.`items` (id int)",
		"create table shop . /* x */ orders (id int)": "create table `archive`.`orders_v2` (id int)",
		"create table l like crm.people":              "create table `shop_new`.`l` like `crm`.`persons`",
		"create table c (a int references p (id), foreign key (a) references crm.people (id), constraint `references` foreign key (a) references orders (id))": "create table `shop_new`.`c` (a int references `shop_new`.`p` (id), foreign key (a) references `crm`.`persons` (id), constraint `references` foreign key (a) references `archive`.`orders_v2` (id))",
		// A foreign key's table is looked for beside its own, not in the default database.
		"create table crm.c (a int, foreign key (a) references people (id))":            "create table `crm`.`c` (a int, foreign key (a) references `crm`.`persons` (id))",
		"create table c (a int, `references` int, check (c.references > 0))":            "create table `shop_new`.`c` (a int, `references` int, check (c.references > 0))",
		"alter table orders add x int comment 'shop.orders', rename to orders_old":      "alter table `archive`.`orders_v2` add x int comment 'shop.orders', rename to `shop_new`.`orders_old`",
		"RENAME TABLE orders TO _orders_del, `_orders_gho` TO `shop`.`orders`":          "RENAME TABLE `archive`.`orders_v2` TO `shop_new`.`_orders_del`, `shop_new`.`_orders_gho` TO `archive`.`orders_v2`",
		"DROP TABLE IF EXISTS `items`,`crm`.`people`,other.x /* generated by server */": "DROP TABLE IF EXISTS `shop_new`.`items`,`crm`.`persons`,`other`.`x` /* generated by server */",
		"truncate orders": "truncate `archive`.`orders_v2`",
		"/*!40000 ALTER TABLE orders DISABLE KEYS */":        "/*!40000 ALTER TABLE `archive`.`orders_v2` DISABLE KEYS */",
		"create index i on items (a)":                        "create index i on `shop_new`.`items` (a)",
		"drop index i on crm.people":                         "drop index i on `crm`.`persons`",
		"create database crm":                                "create database `crm`",
		"create database other":                              "create database `other`",
		"alter database shop character set latin1":           "alter database `shop_new` character set latin1",
		"alter database character set latin1":                "alter database character set latin1", // Of the default one.
		"drop view if exists v, crm.w":                       "drop view if exists `shop_new`.`v`, `crm`.`w`",
		"drop procedure orders":                              "drop procedure `shop_new`.`orders`", // No table's name.
		"create view crm.v as select 1 as one from crm.a":    "",                                   // Default database shop: refused.
		"create table `日` (id int)":                          "create table `shop_new`.`日` (id int)",
		"CREATE TABLE `s` (\n  `x` int\n) START TRANSACTION": "CREATE TABLE `shop_new`.`s` (\n  `x` int\n) START TRANSACTION",
	} {
		st := &change.Statement{SQL: sql, Database: "shop"}
		v, out, err := routed(t, st)
		if want == "" {
			if f := change.FaultOf(err); f == nil || f.Code != "BS-DDL-ROUTED" {
				t.Errorf("%s: error %v", sql, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if diff := cmp.Diff(want, out.SQL); diff != "" || out.Database != "shop_new" {
			t.Errorf("%s: default database %s (-want +got):\n%s", sql, out.Database, diff)
		}
		if v.DDL == nil || strings.Contains(strings.Join(v.DDL.Databases, " ")+" ", "shop ") {
			t.Errorf("%s: verdict %+v", sql, v.DDL)
		}
	}
}

func TestRoutesRefuseWhatTheyCannotRewrite(t *testing.T) {
	latin1 := change.SessionContext{CharsetClient: 8}
	for what, st := range map[string]*change.Statement{
		"a view in a routed schema":            {SQL: "create view v as select 1 as one", Database: "shop"},
		"a view over one":                      {SQL: "create view v as select * from shop.items", Database: "x"},
		"a view over a routed table":           {SQL: "create view v as select * from people", Database: "crm"},
		"a procedure":                          {SQL: "create procedure p() delete from crm.people", Database: "x"},
		"a trigger":                            {SQL: "create trigger t before insert on people for each row set @a = 1", Database: "crm"},
		"an event":                             {SQL: "create event e on schedule every 1 day do delete from shop.items", Database: "x"},
		"DROP DATABASE around a table":         {SQL: "drop database shop", Database: "x"},
		"DROP DATABASE of a table's new place": {SQL: "drop database archive", Database: "x"},
		"DROP TRIGGER that may be elsewhere":   {SQL: "drop trigger shop.t", Database: "x"},
		"a foreign key of a table that moves":  {SQL: "alter table crm.a rename shop.a, add foreign key (x) references b (id)", Database: "x"},
		"a name in another character set":      {SQL: "create table `日` (id int)", Database: "shop", Session: latin1},
	} {
		_, _, err := routed(t, st)
		if f := change.FaultOf(err); f == nil || f.Code != "BS-DDL-ROUTED" || f.Next == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, st := range map[string]*change.Statement{
		"a view that cannot name one": {SQL: "create view v as select * from orders", Database: "crm"},
		"an event elsewhere":          {SQL: "create event e on schedule every 1 day do delete from items", Database: "x"},
	} {
		if _, out, err := routed(t, st); err != nil || out.SQL != st.SQL {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, st := range map[string]*change.Statement{
		"a table":    {SQL: "truncate crm.persons", Database: "x"},
		"a database": {SQL: "create database shop_new", Database: "x"},
		"a rename":   {SQL: "rename table a to shop_new.b", Database: "x"},
	} {
		_, _, err := routed(t, st)
		if f := change.FaultOf(err); f == nil || f.Code != "BS-ROUTE-CLASH" {
			t.Errorf("%s under the name of a routed one: %v", what, err)
		}
	}
}

// Rules match the source's names, and what they run in place of a statement is taken on the target's.
func TestRulesAndRoutes(t *testing.T) {
	rules, err := NewRules(DDLConfig{Rules: []RuleConfig{
		{Match: MatchConfig{Kind: "CREATE VIEW", Table: "shop.v"}, Do: Rewrite, With: "CREATE VIEW v AS SELECT * FROM archive.orders_v2"},
		{Match: MatchConfig{Kind: "CREATE TABLESPACE"}, Do: Apply},
	}})
	if err != nil {
		t.Fatal(err)
	}
	filter, err := NewFilter(FilterConfig{Include: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	st := &change.Statement{SQL: "create view v as select * from orders", Database: "shop"}
	v, err := rules.Judge(st)
	if err != nil {
		t.Fatal(err)
	}
	r := shopRoutes(t)
	v, out, err := r.Statement(v, st, filter)
	if err != nil || out.Database != "shop_new" || v.DDL.Tables[0] != (Name{"shop_new", "v"}) {
		t.Fatalf("%+v in %s: %v", v, out.Database, err)
	}
	if run, err := v.Concerns(filter, r); !run || err != nil {
		t.Errorf("the filter knows the source's names, the rule the target's: %v, %v", run, err)
	}
	for sql, code := range map[string]string{"create tablespace shop add datafile 'a'": "BS-DDL-ROUTED", "create tablespace t add datafile 'a'": ""} {
		st := &change.Statement{SQL: sql, Database: "x"}
		v, err := rules.Judge(st)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = r.Statement(v, st, filter)
		if f := change.FaultOf(err); (f == nil) != (code == "") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
