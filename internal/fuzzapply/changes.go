package fuzzapply

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Statement is SQL on one of the case's sessions.
type Statement struct {
	Session int // From 1.
	SQL     string
}

// Case is what happens on the source.
type Case struct {
	Setup   []string // Tables and their first rows.
	Changes []Statement
	Kill    bool // SIGKILL the daemon meanwhile.
	Routes  int  // Which of RouteSets is tables.rename.
	ByName  bool // On the target a column of each table stands elsewhere, where its server lets one move it.
}

// Generator draws cases.
func (f *Facts) Generator() *rapid.Generator[Case] {
	return rapid.Custom(func(t *rapid.T) Case {
		c := Case{Routes: rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 2, 3}).Draw(t, "routes"), ByName: rapid.IntRange(0, 4).Draw(t, "by name") == 0}
		tables := f.setup(t, &c)
		draw := &writer{Facts: f, t: t, tables: tables}
		for i := range rapid.IntRange(1, 3).Draw(t, "sessions") {
			c.Changes = append(c.Changes, draw.settings(i+1)...)
			draw.sessions++
		}
		units := rapid.SliceOfN(rapid.Custom(draw.unit), 1, 12).Draw(t, "units")
		for _, u := range units {
			c.Changes = append(c.Changes, u...)
		}
		c.Changes = append(c.Changes, draw.decideAll(t)...)
		c.Kill = rapid.IntRange(0, 19).Draw(t, "kill") == 0
		return c
	})
}

// lax is the sql_mode in which each value of the pools can be written.
const lax = "'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'"

// loose is one in which the source clips and replaces values instead: index 0 of an ENUM is one of the results.
const loose = "'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'"

// setup draws tables and their first rows.
func (f *Facts) setup(t *rapid.T, c *Case) []*table {
	c.Setup = append(RouteSets[c.Routes].setup(), "SET sql_mode="+lax+", time_zone='+00:00'")
	if rapid.IntRange(0, 3).Draw(t, "hidden key") == 0 {
		c.Setup = append(c.Setup, "SET sql_generate_invisible_primary_key=ON")
		own := *f
		own.narrow = true
		f = &own
	}
	var tables []*table
	for i := range rapid.SampledFrom([]int{1, 2, 2, 3}).Draw(t, "tables") {
		b := f.drawTable(t, fmt.Sprintf("t%d", i))
		tables = append(tables, b)
		if i == 0 && rapid.IntRange(0, 2).Draw(t, "family") == 0 {
			if child := f.child(t, b, "child"); child != nil {
				tables = append(tables, child)
			}
		}
	}
	w := &writer{Facts: f, t: t, tables: tables}
	for _, b := range tables {
		c.Setup = append(c.Setup, b.create())
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			c.Setup = append(c.Setup, w.insert(b))
		}
	}
	return tables
}

// writer draws statements. Rapid wants each generator to draw from the T that it is given, so unit sets t.
type writer struct {
	*Facts
	t        *rapid.T
	tables   []*table
	only     []*table // Where a transaction keeps to; nil for all.
	sessions int
	renamed  int      // Tables renamed so far.
	branches int      // XA transactions begun so far, for fresh names.
	prepared []branch // Those that are prepared and not decided.
	decided  []string // Names of those whose outcome was drawn.
}

// settings draws how a session logs and checks.
func (w *writer) settings(session int) []Statement {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(w.t, label) }
	set := fmt.Sprintf("SET sql_mode=%s, time_zone='%s', innodb_lock_wait_timeout=1, lock_wait_timeout=1", pick("mode", lax, lax, lax, loose),
		pick("zone", "+00:00", "+14:00", "-12:59", "-05:30"))
	set += ", binlog_row_image=" + pick("image", "FULL", "FULL", "FULL", "MINIMAL", "NOBLOB")
	set += ", binlog_row_value_options=" + pick("documents", "''", "PARTIAL_JSON")
	set += ", binlog_transaction_compression=" + pick("compression", "OFF", "OFF", "ON")
	set += ", foreign_key_checks=" + pick("foreign keys", "ON", "ON", "ON", "OFF")
	set += ", transaction_isolation=" + pick("isolation", "'READ-COMMITTED'", "'READ-COMMITTED'", "'REPEATABLE-READ'")
	set += ", unique_checks=" + pick("unique", "ON", "ON", "OFF")
	set += ", binlog_rows_query_log_events=" + pick("queries", "OFF", "OFF", "ON")
	return []Statement{{session, set}}
}

// unit is a transaction, a DDL, the outcome of an XA transaction, or two transactions whose statements take turns.
func (w *writer) unit(t *rapid.T) []Statement {
	w.t = t
	session := rapid.IntRange(1, w.sessions).Draw(t, "session")
	switch how := rapid.IntRange(0, 13).Draw(t, "unit"); {
	case how == 0:
		return []Statement{{session, w.ddl()}}
	case how == 1:
		return w.settings(session)
	case how == 2 && w.sessions > 1:
		return w.interleaved(session, w.transaction)
	case how == 3 && w.sessions > 1:
		return w.interleaved(session, w.xa)
	case how == 4:
		return w.xa(session)
	case how == 5 && len(w.prepared) > 0:
		return []Statement{w.decide(session)}
	case how <= 7:
		return []Statement{{session, w.change()}} // Autocommit.
	}
	return w.transaction(session)
}

// interleaved draws two transactions at once, mostly over tables that the other one does not touch: each lock that one
// waits for costs a second, and a change.
func (w *writer) interleaved(session int, first func(session int) []Statement) []Statement {
	apart := len(w.tables) > 1 && rapid.IntRange(0, 5).Draw(w.t, "same tables") > 0
	if apart {
		w.only = w.tables[:1]
	}
	a := first(session)
	if apart {
		w.only = w.tables[1:]
	}
	b := w.transaction(session%w.sessions + 1)
	w.only = nil
	return interleave(a, b)
}

func interleave(a, b []Statement) []Statement {
	var all []Statement
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			all = append(all, a[i])
		}
		if i < len(b) {
			all = append(all, b[i])
		}
	}
	return all
}

// transaction draws one.
func (w *writer) transaction(session int) []Statement {
	all := append([]Statement{{session, "BEGIN"}}, w.body(session)...)
	end := rapid.SampledFrom([]string{"COMMIT", "COMMIT", "COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"}).Draw(w.t, "end")
	return append(all, Statement{session, end})
}

// body draws what a transaction does, savepoints and changes of the row image included.
func (w *writer) body(session int) []Statement {
	var all []Statement
	add := func(sql string) { all = append(all, Statement{session, sql}) }
	var set []string // Savepoints. Those that ROLLBACK TO has removed give an error, and the transaction goes on.
	for range rapid.IntRange(1, 7).Draw(w.t, "statements") {
		switch how := rapid.IntRange(0, 15).Draw(w.t, "what"); {
		case how <= 1:
			set = append(set, rapid.SampledFrom([]string{"s1", "s2"}).Draw(w.t, "savepoint"))
			add("SAVEPOINT " + set[len(set)-1])
		case how <= 4 && len(set) > 0:
			add(rapid.SampledFrom([]string{"ROLLBACK TO ", "ROLLBACK TO ", "RELEASE SAVEPOINT "}).Draw(w.t, "end") + rapid.SampledFrom(set).Draw(w.t, "savepoint"))
		case how == 5:
			add("SET binlog_row_image=" + rapid.SampledFrom([]string{"FULL", "MINIMAL", "NOBLOB"}).Draw(w.t, "image"))
		case how == 6:
			for _, sql := range w.swap() {
				add(sql)
			}
		default:
			add(w.change())
		}
	}
	return all
}

// change draws a statement that changes rows.
func (w *writer) change() string {
	b := rapid.SampledFrom(w.free()).Draw(w.t, "table")
	return rapid.SampledFrom([]func(*table) string{w.insert, w.insert, w.insert, w.replace, w.upsert, w.update, w.update, w.update, w.update, w.remove, w.remove, w.copy}).
		Draw(w.t, "statement")(b)
}

// values draws rows for an INSERT: names and tuples. Each column gets a value: what a partial image leaves out is another matter.
func (w *writer) values(b *table) string {
	columns := b.written()
	var names, rows []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(w.t, "rows") {
		var row []string
		for _, c := range columns {
			row = append(row, c.expression(w.t))
		}
		rows = append(rows, "("+strings.Join(row, ", ")+")")
	}
	return b.name + " (" + strings.Join(names, ", ") + ") VALUES " + strings.Join(rows, ", ")
}

func (w *writer) insert(b *table) string {
	ignore := rapid.SampledFrom([]string{"", "", "", "IGNORE "}).Draw(w.t, "ignore")
	return "INSERT " + ignore + "INTO " + w.values(b)
}

func (w *writer) replace(b *table) string { return "REPLACE INTO " + w.values(b) }

func (w *writer) upsert(b *table) string {
	return "INSERT INTO " + w.values(b) + " ON DUPLICATE KEY UPDATE " + w.assignments(b)
}

func (w *writer) copy(b *table) string {
	var from, into []string
	for _, c := range b.written() {
		into = append(into, c.name)
		if slices.Contains(b.key, c.name) {
			from = append(from, c.expression(w.t))
		} else {
			from = append(from, c.name)
		}
	}
	if slices.Contains(from, "DEFAULT") {
		return w.insert(b)
	}
	return "INSERT IGNORE INTO " + b.name + " (" + strings.Join(into, ", ") + ") SELECT " + strings.Join(from, ", ") + " FROM " + b.name + w.where(b) + " LIMIT 2"
}

func (w *writer) update(b *table) string {
	return "UPDATE " + b.name + " SET " + w.assignments(b) + w.where(b) + w.limit()
}

func (w *writer) remove(b *table) string {
	return "DELETE FROM " + b.name + w.where(b) + w.limit()
}

func (w *writer) limit() string {
	return rapid.SampledFrom([]string{"", " LIMIT 1", " LIMIT 2"}).Draw(w.t, "limit")
}

// where draws a condition; one column equal to a value mostly, so that the collation decides what is found.
func (w *writer) where(b *table) string {
	columns := b.compared()
	if len(columns) == 0 || rapid.IntRange(0, 5).Draw(w.t, "all") == 0 {
		return ""
	}
	c := rapid.SampledFrom(columns).Draw(w.t, "condition")
	at := slices.IndexFunc(b.columns, func(c column) bool { return slices.Contains(b.key, c.name) })
	if at >= 0 && rapid.Bool().Draw(w.t, "by key") {
		c = b.columns[at]
	}
	value := c.expression(w.t)
	if value == "DEFAULT" {
		return ""
	}
	return " WHERE " + c.name + rapid.SampledFrom([]string{" <=> ", " <=> ", " <=> ", " >= "}).Draw(w.t, "operator") + value
}

// assignments draws the SET of an UPDATE.
func (w *writer) assignments(b *table) string {
	columns := b.written()
	var all []string
	for range rapid.IntRange(1, 3).Draw(w.t, "assignments") {
		c := rapid.SampledFrom(columns).Draw(w.t, "column")
		value := c.expression(w.t)
		switch how := rapid.IntRange(0, 4).Draw(w.t, "how"); {
		case how == 0 && c.kind == number:
			value = c.name + rapid.SampledFrom([]string{" + 1", " - 1", " * -1"}).Draw(w.t, "sum")
		case how <= 2 && c.kind == logical:
			value = edit(w.t, c.name)
		case how == 0 && c.kind == text:
			value = rapid.SampledFrom([]string{"UPPER", "LOWER", "TRIM"}).Draw(w.t, "function") + "(" + c.name + ")"
		case value == "DEFAULT":
			value = c.name + " + 1"
		}
		all = append(all, c.name+"="+value)
	}
	return strings.Join(all, ", ")
}

// swap moves a value of a column between rows, over a third.
func (w *writer) swap() []string {
	b := rapid.SampledFrom(w.free()).Draw(w.t, "table")
	columns := slices.DeleteFunc(b.compared(), func(c column) bool { return slices.Contains(c.pool, "DEFAULT") })
	if len(columns) == 0 {
		return []string{w.change()}
	}
	c := rapid.SampledFrom(columns).Draw(w.t, "swapped")
	values := rapid.SliceOfN(rapid.SampledFrom(c.pool), 3, 3).Draw(w.t, "values")
	move := func(from, to string) string {
		return fmt.Sprintf("UPDATE %s SET %s=%s WHERE %s=%s LIMIT 1", b.name, c.name, to, c.name, from)
	}
	return []string{move(values[0], values[2]), move(values[1], values[0]), move(values[2], values[1])}
}
