package schema

import "testing"

func TestMarkZoneBound(t *testing.T) {
	columns := []Column{{Name: "ts", DataType: "timestamp"}, {Name: "d", DataType: "datetime"}, {Name: "n", DataType: "int"}, {Name: "g", DataType: "date", Generated: StoredColumn}}
	for expression, want := range map[string]bool{
		"cast(`ts` as date)": true,
		"from_unixtime(`n`)": true,
		"convert_tz(`d`,_utf8mb4'SYSTEM',_utf8mb4'+00:00')": true,
		"convert_tz(`d`,_utf8mb4'+01:00',_utf8mb4'+00:00')": false,
		"cast(`d` as date)":        false,
		"(`n` + 1)":                false,
		"concat(_utf8mb4'ts',`n`)": false,
		"json_object(_utf8mb4'a',date_format(`ts`,'%Y'))": true,
	} {
		table := &Table{Columns: append(append([]Column{}, columns...), Column{Name: "h", DataType: "date", Generated: VirtualColumn})}
		markZoneBound(table, []string{"", "", "", expression, "(`g` + interval 1 day)"})
		if got := table.Columns[3].ZoneBound; got != want || table.Columns[4].ZoneBound != want {
			t.Errorf("%s: %v, what is generated from it %v, want %v", expression, got, table.Columns[4].ZoneBound, want)
		}
	}
}
