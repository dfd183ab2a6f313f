package schema

import "strings"

// markZoneBound finds the generated columns whose value follows the time zone of the session that writes the row:
// those that read a TIMESTAMP or are one, or call FROM_UNIXTIME(), and what is generated from them. (UNIX_TIMESTAMP()
// is not allowed there.) expressions are the columns' GENERATION_EXPRESSION, "" where there is none: the server writes names
// in backticks. A generated column only refers to generated columns before it.
func markZoneBound(t *Table, expressions []string) {
	for i, expression := range expressions {
		c := &t.Columns[i]
		c.ZoneBound = c.Generated != NotGenerated && (c.DataType == "timestamp" || readsZone(t, expression))
	}
}

// readsZone reports an expression that names a TIMESTAMP, a column that is bound to a zone itself, or a function that is.
func readsZone(t *Table, expression string) bool {
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.DataType == "timestamp" || c.ZoneBound) && strings.Contains(expression, QuoteName(c.Name)) {
			return true
		}
	}
	return strings.Contains(expression, "from_unixtime(") || strings.Contains(expression, "convert_tz(") && strings.Contains(strings.ToUpper(expression), "'SYSTEM'")
}
