package schema

import "testing"

func TestMarkZoneBound(t *testing.T) {
	columns := []Column{{Name: "ts", DataType: "timestamp"}, {Name: "d", DataType: "datetime"}, {Name: "n", DataType: "int"}, {Name: "g", DataType: "date", Generated: StoredColumn}}
	for expression, want := range map[string]bool{
		"cast(`ts` as date)": true,
		"from_unixtime(`n`)": true,
		"convert_tz(`d`,_utf8mb4'SYSTEM',_utf8mb4'+00:00')": true,
		"convert_tz(`d`,_utf8mb4'+01:00',_utf8mb4'+00:00')": false,
		"cast(`d` as date)":          false,
		"cast(ts as date)":           true, // Defined under sql_quote_show_create=0.
		"cast(d as date)":            false,
		"(`n` + 1)":                  false,
		"concat(_utf8mb4'ts',`n`)":   false,
		"concat(_utf8mb4\\'ts\\',n)": false,
		"json_object(_utf8mb4'a',date_format(`ts`,'%Y'))": true,
	} {
		table := &Table{Columns: append(append([]Column{}, columns...), Column{Name: "h", DataType: "date", Generated: VirtualColumn})}
		markZoneBound(table, []string{"", "", "", expression, "(`g` + interval 1 day)"})
		if got := table.Columns[3].ZoneBound; got != want || table.Columns[4].ZoneBound != want {
			t.Errorf("%s: %v, what is generated from it %v, want %v", expression, got, table.Columns[4].ZoneBound, want)
		}
	}
}

// What is not known to follow from the row alone is taken for bound to the session.
func TestMarkGeneratedSessionBound(t *testing.T) {
	columns := []Column{{Name: "n", DataType: "int"}, {Name: "c", DataType: "char", MaxBytes: 40}, {Name: "v", DataType: "varchar", MaxBytes: 80},
		{Name: "t", DataType: "longtext", MaxBytes: 1<<32 - 1}, {Name: "g", DataType: "varchar", MaxBytes: 80, Generated: StoredColumn}}
	for expression, want := range map[string]bool{
		"(`n` + 1)":                       false,
		"(`n` - 1)":                       true, // NO_UNSIGNED_SUBTRACTION
		"(`n` / 3)":                       true, // div_precision_increment
		"monthname(`v`)":                  true, // lc_time_names
		"concat(`v`,_utf8mb4\\'a-b/c\\')": false,
		"concat(`v`,_utf8mb4'x')":         false,
		"concat(`v`,_utf8mb4\\'it\\\\\\'s / \\')": true, // Not a plain literal: when in doubt.
		"sha2(`c`,256)": true, // PAD_CHAR_TO_FULL_LENGTH
		"sha2(`v`,256)": false,
		"left(`t`,20)":  true, // max_allowed_packet
		"json_unquote(json_extract(`v`,_utf8mb4\\'$.a\\'))": false,
		"function_of_the_future(`v`)":                       true,
		"cast(`v` as date)":                                 true, // NO_ZERO_DATE and its like
	} {
		table := &Table{Columns: append(append([]Column{}, columns...), Column{Name: "h", DataType: "int", Generated: StoredColumn})}
		MarkGenerated(table, []string{"", "", "", "", expression, "length(`g`)"})
		g, h := table.Columns[4], table.Columns[5]
		if g.SessionBound != want || h.SessionBound != want {
			t.Errorf("%s: %v, what is generated from it %v, want %v", expression, g.SessionBound, h.SessionBound, want)
		}
		if len(h.Reads) != len(g.Reads)+1 {
			t.Errorf("%s reads %v, what is generated from it %v", expression, g.Reads, h.Reads)
		}
	}
}
