package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// layouts collects what differs between the columns of both sides' tables.
type layouts struct {
	named bool // The source logs the names of columns (binlog_row_metadata=FULL).

	differ     []string // What halts the stream, or would be wrong.
	byName     []string // What the stream carries by the columns' names.
	collations []string
}

// columns reports them.
func (c *checker) columns(l *layouts) {
	why, fix := "row changes carry columns by place; a row that does not fit its table halts the stream, or would be wrong",
		"ALTER TABLE on the target until SHOW CREATE TABLE agrees with the source; where columns shall stand in another order there, or be more, SET PERSIST binlog_row_metadata=FULL on the source (MySQL 8.0, MariaDB 10.5)"
	if l.named {
		why, fix = "row changes are carried by the columns' names; a row that does not fit its table halts the stream, or would be wrong",
			"ALTER TABLE on the target until each column of the source is there with its type, those in addition fill themselves, and a key of the source's columns finds the rows"
	}
	c.want(len(l.differ) == 0, Finding{
		Code: "TARGET_COLUMNS", Severity: Must, Seen: count(len(l.differ), "difference") + " in columns", Objects: l.differ, Why: why, Fix: fix,
	})
	c.want(len(l.byName) == 0, Finding{
		Code: "TARGET_COLUMNS_BY_NAME", Severity: Info, Seen: count(len(l.byName), "difference") + " in columns that are matched by name", Objects: l.byName,
		Why: "the log must go on to name the columns; those that the target alone has take their defaults, and unless they are generated the table's changes are applied one by one, in the source's order",
	})
	c.want(len(l.collations) == 0, Finding{
		Code: "TARGET_COLLATIONS", Severity: Warn, Seen: count(len(l.collations), "column") + " with another collation", Objects: l.collations,
		Why: "values that are different on the source may be equal on the target, and a unique key then refuses them",
		Fix: "ALTER TABLE … MODIFY … COLLATE on the target",
	})
}

// compare holds two tables against each other, column by column.
func (l *layouts) compare(s, t *table) {
	if l.named {
		l.compareNamed(s, t)
		return
	}
	if len(s.columns) != len(t.columns) {
		l.differ = append(l.differ, fmt.Sprintf("%s: source has %d columns, target %d", s.name, len(s.columns), len(t.columns)))
	}
	for i := range min(len(s.columns), len(t.columns)) {
		if a, b := s.columns[i].name, t.columns[i].name; !strings.EqualFold(a, b) {
			l.differ = append(l.differ, fmt.Sprintf("%s.%s: column %d is %s on the target", s.name, a, i+1, b))
			return
		}
		l.pair(s.name+"."+s.columns[i].name, s.columns[i], t.columns[i])
	}
}

// compareNamed matches the columns by name, as the stream does where the log has names.
func (l *layouts) compareNamed(s, t *table) {
	places := map[string]int{}
	for i := range t.columns {
		places[strings.ToLower(t.columns[i].name)] = i
	}
	last, moved := -1, false
	for _, a := range s.columns {
		at, name := s.name+"."+a.name, strings.ToLower(a.name)
		place, ok := places[name]
		if !ok {
			l.differ = append(l.differ, at+": not on the target")
			continue
		}
		l.pair(at, a, t.columns[place])
		moved, last = moved || place < last, place
		delete(places, name)
	}
	if moved {
		l.byName = append(l.byName, s.name+": columns in another order on the target")
	}
	for _, b := range t.columns {
		switch _, added := places[strings.ToLower(b.name)]; {
		case added && b.unfilled:
			l.differ = append(l.differ, s.name+"."+b.name+": on the target alone, NOT NULL and without a default")
		case added:
			l.byName = append(l.byName, s.name+"."+b.name+": on the target alone")
		}
	}
	added := func(column string) bool { _, is := places[strings.ToLower(column)]; return is }
	unusable := func(key []string) bool { return slices.ContainsFunc(key, added) }
	if s.primary && len(t.keys) > 0 && !slices.ContainsFunc(t.keys, func(key []string) bool { return !unusable(key) }) {
		l.differ = append(l.differ, s.name+": each key of the target has a column that the source does not have")
	}
}

// pair compares a column with its counterpart.
func (l *layouts) pair(at string, a, b column) {
	switch {
	// The members of an ENUM or SET are the table owner's words: named as different, not printed.
	case a.columnType != b.columnType && (a.dataType == "enum" || a.dataType == "set"):
		l.differ = append(l.differ, at+": the members differ, or their order")
	case a.columnType != b.columnType:
		l.differ = append(l.differ, fmt.Sprintf("%s: %s on the source, %s on the target", at, a.columnType, b.columnType))
	case a.charset != b.charset:
		l.differ = append(l.differ, fmt.Sprintf("%s: character set %s on the source, %s on the target", at, a.charset, b.charset))
	case a.generated != b.generated:
		l.differ = append(l.differ, at+": generated on one side only")
	case a.collation != b.collation:
		l.collations = append(l.collations, fmt.Sprintf("%s: %s on the source, %s on the target", at, a.collation, b.collation))
	}
}
