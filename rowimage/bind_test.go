package rowimage

import (
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/google/go-cmp/cmp"
)

func TestBindRefusesWhatDoesNotFit(t *testing.T) {
	col := func(typ byte, meta uint16, c schema.Column) wireColumn {
		c.Name = "a"
		return wireColumn{typ, meta, c}
	}
	text := schema.Column{DataType: "varchar", MaxBytes: 40, Charset: "utf8mb4"}
	for name, c := range map[string]struct {
		column wireColumn
		edit   func(m *change.TableMap, t *schema.Table)
		want   string // The fault's code; "" for none.
	}{
		"equal": {col(typeLong, 0, schema.Column{DataType: "int"}), nil, ""},
		"a column more": {col(typeLong, 0, schema.Column{DataType: "int"}), func(m *change.TableMap, t *schema.Table) {
			t.Columns = append(t.Columns, schema.Column{Name: "b", DataType: "int"})
		}, CodeMismatch},
		"another name":                         {col(typeLong, 0, schema.Column{DataType: "int"}), func(m *change.TableMap, _ *schema.Table) { m.Names = []string{"b"} }, CodeMismatch},
		"the same name in other letters":       {col(typeLong, 0, schema.Column{DataType: "int"}), func(m *change.TableMap, _ *schema.Table) { m.Names = []string{"A"} }, ""},
		"unsigned on the source only":          {col(typeLong, 0, schema.Column{DataType: "int"}), func(m *change.TableMap, _ *schema.Table) { m.Unsigned = []bool{true} }, CodeMismatch},
		"unsigned on the target only":          {col(typeLong, 0, schema.Column{DataType: "int", Unsigned: true}), func(m *change.TableMap, _ *schema.Table) { m.Unsigned = []bool{false} }, CodeMismatch},
		"unsigned and the source did not say":  {col(typeLong, 0, schema.Column{DataType: "int", Unsigned: true}), nil, ""},
		"YEAR, which the log marks unsigned":   {col(typeYear, 0, schema.Column{DataType: "year"}), func(m *change.TableMap, _ *schema.Table) { m.Unsigned = []bool{true} }, ""},
		"a wider integer":                      {col(typeLong, 0, schema.Column{DataType: "bigint"}), nil, CodeMismatch},
		"another scale":                        {col(typeNewDecimal, 10<<8|2, schema.Column{DataType: "decimal", Precision: 10, Scale: 3}), nil, CodeMismatch},
		"fewer digits of a fraction":           {col(typeDatetime2, 6, schema.Column{DataType: "datetime", FSP: 3}), nil, CodeMismatch},
		"other bits":                           {col(typeBit, 1<<8, schema.Column{DataType: "bit", Precision: 9}), nil, CodeMismatch},
		"a shorter text":                       {col(typeVarchar, 80, text), nil, CodeMismatch},
		"a longer text":                        {col(typeVarchar, 20, text), nil, ""},
		"a shorter BLOB":                       {col(typeBlob, 3, schema.Column{DataType: "blob"}), nil, CodeMismatch},
		"a longer BLOB":                        {col(typeBlob, 1, schema.Column{DataType: "longblob"}), nil, ""},
		"a longer BINARY":                      {col(typeString, typeString<<8|4, schema.Column{DataType: "binary", MaxBytes: 8}), nil, CodeMismatch},
		"VARCHAR for TEXT":                     {col(typeBlob, 2, text), nil, CodeMismatch},
		"an ENUM that became wide":             {col(typeString, typeEnum<<8|1, schema.Column{DataType: "enum", ColumnType: "enum(" + setMembers(256) + ")"}), nil, CodeMismatch},
		"an ENUM for a SET":                    {col(typeString, typeEnum<<8|1, schema.Column{DataType: "set", ColumnType: "set('a')"}), nil, CodeMismatch},
		"binary into text":                     {col(typeVarchar, 40, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{binaryString} }, CodeMismatch},
		"text into binary":                     {col(typeVarchar, 40, schema.Column{DataType: "varbinary", MaxBytes: 40}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{utf8mb4AICI} }, CodeMismatch},
		"latin1 into utf8mb4":                  {col(typeVarchar, 40, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{latin1CI} }, CodeMismatch},
		"utf8mb3 into fewer of utf8mb4":        {col(typeVarchar, 33, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{utf8mb3CI} }, CodeMismatch},
		"ascii into fewer of utf8mb4":          {col(typeString, typeString<<8|11, schema.Column{DataType: "char", MaxBytes: 40, Charset: "utf8mb4"}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{11} }, CodeMismatch},
		"ascii into as many of utf8mb4":        {col(typeString, typeString<<8|10, schema.Column{DataType: "char", MaxBytes: 40, Charset: "utf8mb4"}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{11} }, ""},
		"COMPRESSED utf8mb3 into utf8mb4":      {col(typeVarcharCompressed, 31, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{utf8mb3CI} }, ""},
		"utf8mb3 into utf8mb4":                 {col(typeVarchar, 30, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{utf8mb3CI} }, ""},
		"another collation of the charset":     {col(typeVarchar, 40, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{utf8mb4Bin} }, ""},
		"ascii into a wide set":                {col(typeVarchar, 40, schema.Column{DataType: "varchar", MaxBytes: 40, Charset: "ucs2"}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{11} }, CodeMismatch},
		"gbk":                                  {col(typeVarchar, 40, schema.Column{DataType: "varchar", MaxBytes: 40, Charset: "gbk"}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{28} }, ""},
		"gbk into big5":                        {col(typeVarchar, 40, schema.Column{DataType: "varchar", MaxBytes: 40, Charset: "big5"}), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{28} }, CodeMismatch},
		"a collation that MySQL has not":       {col(typeVarchar, 40, text), func(m *change.TableMap, _ *schema.Table) { m.Collations = []uint16{2048} }, CodeMismatch},
		"a charset that MySQL has not":         {col(typeVarchar, 40, schema.Column{DataType: "varchar", MaxBytes: 40, Charset: "filename"}), nil, CodeUnsupported},
		"GEOMETRY":                             {col(typeGeometry, 4, schema.Column{DataType: "point"}), nil, ""},
		"GEOMETRY for a BLOB":                  {col(typeGeometry, 4, schema.Column{DataType: "longblob"}), nil, CodeMismatch},
		"a BLOB for GEOMETRY":                  {col(typeBlob, 4, schema.Column{DataType: "geometry"}), nil, CodeMismatch},
		"VECTOR":                               {col(typeVector, 4, schema.Column{DataType: "vector"}), nil, ""},
		"VECTOR for a BLOB":                    {col(typeVector, 4, schema.Column{DataType: "blob"}), nil, CodeMismatch},
		"NULL for a TIMESTAMP that takes none": {col(typeTimestamp2, 0, schema.Column{DataType: "timestamp"}), func(m *change.TableMap, _ *schema.Table) { m.Nullable = []byte{1} }, CodeMismatch},
		"NULL for an INT that takes none":      {col(typeLong, 0, schema.Column{DataType: "int"}), func(m *change.TableMap, _ *schema.Table) { m.Nullable = []byte{1} }, ""},
		"DATETIME from before 5.6.4":           {col(typeDatetime, 0, schema.Column{DataType: "datetime"}), nil, ""},
		"TIME from before 5.6.4":               {col(typeTime, 0, schema.Column{DataType: "time"}), nil, ""},
		"TIMESTAMP from before 5.6.4":          {col(typeTimestamp, 0, schema.Column{DataType: "timestamp"}), nil, ""},
		"an old DATETIME, wider on the target": {col(typeDatetime, 0, schema.Column{DataType: "datetime", FSP: 3}), nil, CodeMismatch},
		"the same from MariaDB": {col(typeDatetime, 0, schema.Column{DataType: "datetime", FSP: 3}),
			func(m *change.TableMap, _ *schema.Table) { m.MariaDB = true }, CodeUnsupported},
		"COMPRESSED text":                     {col(typeVarcharCompressed, 81, schema.Column{DataType: "varchar", MaxBytes: 80, Charset: "utf8mb4"}), nil, ""},
		"COMPRESSED text that is too long":    {col(typeVarcharCompressed, 82, schema.Column{DataType: "varchar", MaxBytes: 80, Charset: "utf8mb4"}), nil, CodeMismatch},
		"a COMPRESSED BLOB":                   {col(typeBlobCompressed, 4, schema.Column{DataType: "longblob"}), nil, ""},
		"a COMPRESSED BLOB for a shorter one": {col(typeBlobCompressed, 4, schema.Column{DataType: "blob"}), nil, CodeMismatch},
		"an old DATETIME for a TIMESTAMP":     {col(typeDatetime, 0, schema.Column{DataType: "timestamp"}), nil, CodeMismatch},
		"DECIMAL from before 5.0":             {col(typeDecimal, 0, schema.Column{DataType: "decimal"}), nil, CodeUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			m, table := tableOf(c.column)
			if c.edit != nil {
				c.edit(m, table)
			}
			_, err := Bind(m, table)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f := change.FaultOf(err)
			if f == nil || f.Code != c.want || f.Class != change.ClassPerson || f.Where == "" || f.Next == "" {
				t.Fatalf("got %v, want a fault %s", err, c.want)
			}
		})
	}
}

// A TABLE_MAP comes with every statement: an equal one fits, one that differs in anything that matters does not.
func TestFits(t *testing.T) {
	build := func() (*change.TableMap, *schema.Table) {
		return tableOf(intColumn("a"), textColumn("b", "utf8mb4", utf8mb4AICI))
	}
	m, table := build()
	l := mustBind(t, m, table)
	if same, _ := build(); !l.Fits(same) || !l.Fits(m) {
		t.Error("an equal TABLE_MAP does not fit")
	}
	for name, edit := range map[string]func(m *change.TableMap){
		"type": func(m *change.TableMap) { m.Types[0] = typeShort }, "metadata": func(m *change.TableMap) { m.Meta[1] = 44 },
		"names": func(m *change.TableMap) { m.Names = []string{"a", "c"} }, "sign": func(m *change.TableMap) { m.Unsigned = []bool{true, false} },
		"collation": func(m *change.TableMap) { m.Collations = []uint16{0, latin1CI} }, "table": func(m *change.TableMap) { m.Table = "u" },
	} {
		if other, _ := build(); true {
			edit(other)
			if l.Fits(other) {
				t.Errorf("fits although the %s differs", name)
			}
		}
	}
}

func TestMembers(t *testing.T) {
	for in, want := range map[string][]string{
		`enum('a','b')`: {"a", "b"}, `enum('it''s, ok','')`: {"it''s, ok", ""}, `set('''','x''')`: {"''", "x''"}, `enum('a\\','b')`: {`a\\`, "b"}, `enum('a`: {"a"}, `int`: nil,
	} {
		if diff := cmp.Diff(want, members(in)); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
}

// Each collation of the server is of the character set that charsetOf says, whose longest character it knows, and no set of it is missing.
func TestServerCharsets(t *testing.T) {
	l := newLab(t, "MINIMAL")
	seen := 0
	for _, row := range l.QueryT(t, "SELECT ID, CHARACTER_SET_NAME, MAXLEN FROM information_schema.COLLATIONS JOIN information_schema.CHARACTER_SETS USING (CHARACTER_SET_NAME)") {
		seen++
		if cs := charsetOf(uint16(number(t, row[0]))); cs == nil || cs.name != row[1] || cs.longest() != int(number(t, row[2])) {
			t.Errorf("collation %s is of %v, the server says %s of at most %s bytes", row[0], cs, row[1], row[2])
		}
	}
	if seen < 280 {
		t.Errorf("only %d collations seen", seen)
	}
}
