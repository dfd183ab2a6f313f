package applier

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// Wire types and metadata beside those of main_test.go: ENUM and SET of one byte (field_types.h).
const (
	wireFloat  = 4
	wireString = 254
	metaEnum   = 247<<8 | 1
	metaSet    = 248<<8 | 1
)

// zeroTable is shop.z (id INT, e ENUM('a',”), x …), with a key of the columns named.
func zeroTable(key ...int) *schema.Table {
	t := &schema.Table{Schema: "shop", Name: "z", Engine: "InnoDB", Columns: []schema.Column{
		{Name: "id", DataType: "int", ColumnType: "int"},
		{Name: "e", DataType: "enum", ColumnType: "enum('a','')", Nullable: true},
		{Name: "x", DataType: "varchar", ColumnType: "varchar(20)", MaxBytes: 80, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", CollationID: 255, Nullable: true}}}
	if key == nil {
		t.Class = schema.Ordered
		return t
	}
	t.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, NotNull: true}
	for _, c := range key {
		t.Identity.Parts = append(t.Identity.Parts, schema.KeyPart{Column: c})
	}
	return t
}

// zeroMap has x as its third column.
func zeroMap(x byte, meta uint16) *change.TableMap {
	return &change.TableMap{Schema: "shop", Table: "z", Types: []byte{wireLong, wireString, x}, Meta: []uint16{0, metaEnum, meta}, Nullable: []byte{0b110}}
}

// zeroImage is (id, e, x); x as on the wire, nil for NULL.
func zeroImage(id int32, e byte, x []byte) []byte {
	img := []byte{0}
	if x == nil {
		img[0] = 0b100
	}
	return append(append(binary.LittleEndian.AppendUint32(img, uint32(id)), e), x...)
}

// text is a short VARCHAR on the wire.
func text(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// Rows with index 0 go by statements of their own that are not strict, and are written again by ones that are; the rows
// beside them share the strict statements as always.
func TestEnumZeroStatements(t *testing.T) {
	m := zeroMap(wireVarchar, 80)
	row := func(id int32, e byte) []byte { return zeroImage(id, e, text("t")) }
	partial := func(op change.Op, before, after byte, images ...[]byte) change.Row {
		r := change.Row{RowsHeader: &change.RowsHeader{Table: m, Op: op, PresentBefore: []byte{before}, PresentAfter: []byte{after}}, After: images[len(images)-1]}
		if op == change.Update {
			r.Before = images[0]
		}
		return r
	}
	const insert, lax = "INSERT INTO `shop`.`z` (`id`,`e`,`x`) VALUES ", "INSERT " + mysqlconn.LaxHint + "INTO `shop`.`z` (`id`,`e`,`x`) VALUES "
	const update, remove = "UPDATE `shop`.`z` SET ", "DELETE /*+ INDEX(`z` `PRIMARY`) */ FROM `shop`.`z` WHERE "
	const find = "`id`<=>3 AND `e`<=>0 AND CAST(`x` AS BINARY)<=>_binary't'"
	for name, c := range map[string]struct {
		def    *schema.Table
		rows   []change.Row
		want   []string
		counts []int64
	}{
		"inserts, some with index 0": {zeroTable(0), rowsOf(m, change.Insert, 0, row(1, 1), row(2, 0), row(3, 2), row(4, 0)), []string{
			insert + "(1,1,'t'),(3,2,'t')", lax + "(2,0,'t')", update + "`id`=2,`x`='t' WHERE `id`=2", lax + "(4,0,'t')", update + "`id`=4,`x`='t' WHERE `id`=4"},
			[]int64{2, 1, 1, 1, 1}},
		"updates to and from index 0": {zeroTable(0), rowsOf(m, change.Update, 0, row(1, 1), row(1, 0), row(2, 0), row(2, 2)), []string{
			"UPDATE " + mysqlconn.LaxHint + "`shop`.`z` SET `e`=0 WHERE `id`=1", update + "`id`=1,`x`='t' WHERE `id`=1", update + "`e`=2 WHERE `id`=2"},
			[]int64{1, 1, 1}},
		"a key of it alone is a list of numbers": {zeroTable(1), rowsOf(m, change.Delete, 0, row(1, 1), row(1, 0), row(1, 2)),
			[]string{remove + "`e` IN (0,1,2)"}, []int64{3}},
		"in a key of several it is no text": {zeroTable(1, 0), rowsOf(m, change.Delete, 0, row(1, 1), row(1, 0), row(1, 2), row(2, 1)),
			[]string{remove + "(`e`,`id`) IN (('a',1),('a',2))", remove + "`e`=0 AND `id`=1", remove + "`e`=2 AND `id`=1"}, []int64{2, 1, 1}},
		"without a key, in order": {zeroTable(), rowsOf(m, change.Insert, 0, row(1, 1), row(2, 1), row(3, 0), row(4, 1)), []string{
			insert + "(1,1,'t'),(2,1,'t')", lax + "(3,0,'t')", update + "`id`=3,`x`='t' WHERE " + find + " LIMIT 1", insert + "(4,1,'t')"}, []int64{2, 1, 1, 1}},
		"a partial insert": {zeroTable(0), []change.Row{partial(change.Insert, 0, 0b011, zeroImage(1, 0, nil)[:6])}, []string{
			strings.Replace(lax, ",`x`", "", 1) + "(1,0)", update + "`id`=1 WHERE `id`=1"}, []int64{1, 1}},
		"a partial insert without the key, which took its default": {zeroTable(0), []change.Row{partial(change.Insert, 0, 0b110, []byte{0, 0, 1, 't'})}, []string{
			strings.Replace(lax, "`id`,", "", 1) + "(0,'t')", update + "`x`='t' WHERE `e`<=>0 AND CAST(`x` AS BINARY)<=>_binary't' LIMIT 1"}, []int64{1, 1}},
		"a partial update": {zeroTable(0), []change.Row{partial(change.Update, 0b001, 0b110, []byte{0, 9, 0, 0, 0}, []byte{0b10, 0})}, []string{
			"UPDATE " + mysqlconn.LaxHint + "`shop`.`z` SET `e`=0,`x`=NULL WHERE `id`=9", update + "`x`=NULL WHERE `id`=9"}, []int64{1, 1}},
		"a partial update of nothing else": {zeroTable(0), []change.Row{partial(change.Update, 0b001, 0b010, []byte{0, 9, 0, 0, 0}, []byte{0, 0})}, []string{
			"UPDATE " + mysqlconn.LaxHint + "`shop`.`z` SET `e`=0 WHERE `id`=9"}, []int64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.def.Columns {
				c.def.Columns[i].Default = schema.LiteralDefault
			}
			w, r := newRecorder(1 << 20)
			if err := w.run(stepsFor(t, c.def, m, c.rows)); err != nil {
				t.Fatal(err)
			}
			r.sent(t, c.want, c.counts)
		})
	}
}

// A half-done epoch is written again with its index 0, and what it deletes before proves nothing.
func TestEnumZeroInRecovery(t *testing.T) {
	m := zeroMap(wireVarchar, 80)
	w, r := newRecorder(1 << 20)
	e, err := mergeRows(t.Context(), newTestApplier(bound(t, zeroTable(1, 0), m)), rowsOf(m, change.Insert, 0, zeroImage(1, 0, nil), zeroImage(1, 1, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(planRecovery(e).leader); err != nil {
		t.Fatal(err)
	}
	const remove = "DELETE /*+ INDEX(`z` `PRIMARY`) */ FROM `shop`.`z` WHERE "
	want := []string{remove + "(`e`,`id`) IN (('a',1))", remove + "`e`=0 AND `id`=1", "INSERT INTO `shop`.`z` (`id`,`e`,`x`) VALUES (1,1,NULL)",
		"INSERT " + mysqlconn.LaxHint + "INTO `shop`.`z` (`id`,`e`,`x`) VALUES (1,0,NULL)", "UPDATE `shop`.`z` SET `id`=1,`x`=NULL WHERE `id`=1 AND `e`=0"}
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
	var counts []int64
	for _, x := range slices.Concat(r.counts...) {
		counts = append(counts, x.count)
	}
	if diff := cmp.Diff([]int64{anyCount, anyCount, 1, 1, 1}, counts); diff != "" {
		t.Error(diff)
	}
}

// The statement that writes index 0 is not strict: alone it would clip the column beside it. Each value here is one that
// Bind cannot see to be too much for the target; the row is refused, and the table is as it was.
func TestEnumZeroClipsNothing(t *testing.T) {
	l := newLive(t)
	for name, c := range map[string]struct {
		x        string // The column on the target.
		m        *change.TableMap
		good, no []byte // A value that it takes, and one that it does not.
	}{
		"a text with more characters than the column": {"VARCHAR(2)", zeroMap(wireVarchar, 8), text("ab"), text("abc")},
		"a text that is not valid":                    {"VARCHAR(20)", zeroMap(wireVarchar, 80), text("ab"), text("a\xff")},
		"NULL":                                        {"VARCHAR(20) NOT NULL", zeroMap(wireVarchar, 80), text("ab"), nil},
		"a FLOAT beyond its digits":                   {"FLOAT(4,1)", zeroMap(wireFloat, 4), []byte{0, 0, 0x80, 0x3f}, []byte{0, 0x24, 0x74, 0x49}},
		"a member that the target does not have":      {"ENUM('a')", zeroMap(wireString, metaEnum), []byte{1}, []byte{2}},
		"a SET with a bit too many":                   {"SET('a')", zeroMap(wireString, metaSet), []byte{1}, []byte{3}},
		"what a CHECK forbids":                        {"VARCHAR(20), CHECK (x<>'no')", zeroMap(wireVarchar, 80), text("ab"), text("no")},
	} {
		for _, key := range []string{"id", "e, id", ""} {
			t.Run(name+" key "+key, func(t *testing.T) {
				l.begin(t, strings.ReplaceAll(name+key, " ", "_"))
				create := "CREATE TABLE shop.z (id INT, e ENUM('a',''), x " + c.x
				if key != "" {
					create += ", PRIMARY KEY (" + key + ")"
				}
				l.server.Exec(t, "DROP TABLE IF EXISTS shop.z", create+")")
				cfg := Config{Mode: Strict, Sessions: 1}
				if _, err := l.run(t, cfg, txnAt(2, rowsOf(c.m, change.Insert, 0, zeroImage(1, 1, c.good), zeroImage(2, 0, c.good), zeroImage(5, 1, c.good))...)); err != nil {
					t.Fatal(err)
				}
				const all = "SELECT id, e+0, HEX(x) FROM shop.z ORDER BY id, e+0"
				before := l.server.QueryT(t, all)
				for what, rows := range map[string][]change.Row{
					"insert":          rowsOf(c.m, change.Insert, 0, zeroImage(3, 0, c.no)),
					"two inserts":     rowsOf(c.m, change.Insert, 0, zeroImage(3, 0, c.no), zeroImage(4, 0, c.no)),
					"update":          rowsOf(c.m, change.Update, 0, zeroImage(1, 1, c.good), zeroImage(1, 0, c.no)),
					"a row that is 0": rowsOf(c.m, change.Update, 0, zeroImage(2, 0, c.good), zeroImage(2, 0, c.no)),
				} {
					_, err := l.run(t, cfg, txnAt(3, rows...))
					if f := change.FaultOf(err); f == nil || f.Code != "BS-REFUSED" || f.Class != change.ClassPerson {
						t.Errorf("%s: got %v", what, err)
					}
					if diff := cmp.Diff(before, l.server.QueryT(t, all)); diff != "" {
						t.Errorf("%s has changed the table:\n%s", what, diff)
					}
				}
				if _, err := l.run(t, cfg, txnAt(3, rowsOf(c.m, change.Update, 0, zeroImage(1, 1, c.good), zeroImage(1, 0, c.good))...)); err != nil {
					t.Errorf("a good value: %v", err)
				}
			})
		}
	}
}
