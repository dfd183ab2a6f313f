package applier

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// Rows that write the same columns share a statement; where there are few of each kind, those that write others take part.
func TestUpdatesShareStatements(t *testing.T) {
	m, def := modelMap(), modelTable(0)
	row := func(id string, w, v int32) []byte { return modelRow{id: id, w: w, v: v}.image() }
	update := func(id string, w, v int32) []change.Row {
		return rowsOf(m, change.Update, 0, row(id, 1, 1), row(id, w, v))
	}
	joined := func(values, columns, set string) string {
		return "UPDATE (VALUES " + values + ") AS n (" + columns + ") STRAIGHT_JOIN `shop`.`t` FORCE INDEX (`PRIMARY`) ON `t`.`id`=n.k0 COLLATE utf8mb4_0900_ai_ci SET " + set
	}
	var many []change.Row
	var values []string
	for i := range alikeFrom {
		id := fmt.Sprintf("m%02d", i)
		many, values = append(many, update(id, 1, int32(i+2))...), append(values, fmt.Sprintf("ROW('%s',%d)", id, i+2))
	}
	for name, c := range map[string]struct {
		rows   []change.Row
		want   []string
		counts []int64
	}{
		"the same columns": {slices.Concat(update("a", 1, 2), update("c", 1, 3), update("d", 1, 4), update("e", 1, 5), update("f", 1, 1)),
			[]string{joined("ROW('a',2),ROW('c',3),ROW('d',4),ROW('e',5)", "k0,v0", "`t`.`v`=n.v0")}, []int64{4}},
		"few of each kind": {slices.Concat(update("a", 1, 2), update("b", 2, 1), update("c", 1, 3), update("d", 1, 4), update("f", 1, 1), update("g", 2, 2)),
			[]string{joined("ROW('a',1,2),ROW('b',2,1),ROW('c',1,3),ROW('d',1,4),ROW('g',2,2)", "k0,v0,v1", "`t`.`w`=n.v0,`t`.`v`=n.v1")}, []int64{5}},
		"few in all": {slices.Concat(update("a", 1, 2), update("b", 2, 1), update("g", 2, 2)),
			[]string{"UPDATE `shop`.`t` SET `v`=2 WHERE `id`='a'", "UPDATE `shop`.`t` SET `w`=2 WHERE `id`='b'", "UPDATE `shop`.`t` SET `w`=2,`v`=2 WHERE `id`='g'"}, []int64{1, 1, 1}},
		"many of one kind": {slices.Concat(many, update("a", 2, 1), update("b", 2, 2)),
			[]string{joined(strings.Join(values, ","), "k0,v0", "`t`.`v`=n.v0"), "UPDATE `shop`.`t` SET `w`=2 WHERE `id`='a'", "UPDATE `shop`.`t` SET `w`=2,`v`=2 WHERE `id`='b'"}, []int64{int64(alikeFrom), 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newRecorder(1 << 26)
			w.joins = true
			if err := w.run(stepsFor(t, def, m, c.rows)); err != nil {
				t.Fatal(err)
			}
			r.sent(t, c.want, c.counts)
		})
	}
}

// Rows that come to have the same values by changing other columns are not alike: each writes its own.
func TestUpdatesOfOtherColumnsToTheSameValues(t *testing.T) {
	m := modelMap()
	var rows []change.Row
	var values []string
	for i := range 2 * (alikeFrom - 1) {
		id := fmt.Sprintf("a%02d", i)
		before := modelRow{id: id, w: 1, v: 2}
		if i%2 == 1 {
			before = modelRow{id: id, w: 2, v: 1}
		}
		rows = append(rows, rowsOf(m, change.Update, 0, before.image(), modelRow{id: id, w: 2, v: 2}.image())...)
		values = append(values, fmt.Sprintf("ROW('%s',2,2)", id))
	}
	w, r := newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, modelTable(0), m, rows)); err != nil {
		t.Fatal(err)
	}
	want := []string{"UPDATE (VALUES " + strings.Join(values, ",") + ") AS n (k0,v0,v1) STRAIGHT_JOIN `shop`.`t` FORCE INDEX (`PRIMARY`) ON `t`.`id`=n.k0 COLLATE utf8mb4_0900_ai_ci SET `t`.`w`=n.v0,`t`.`v`=n.v1"}
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
}

// A row that is large, and one with a value that cannot travel, write what they change only.
func TestUpdatesOfSomeRowsKeepToWhatTheyChange(t *testing.T) {
	def := &schema.Table{Schema: "shop", Name: "t", Engine: "InnoDB", Columns: []schema.Column{
		{Name: "id", DataType: "int", ColumnType: "int"},
		{Name: "n", DataType: "int", ColumnType: "int"},
		{Name: "u", DataType: "bigint", ColumnType: "bigint unsigned", Unsigned: true},
		{Name: "b", DataType: "varbinary", ColumnType: "varbinary(60000)", MaxBytes: 60_000}}}
	def.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	m := &change.TableMap{Schema: "shop", Table: "t", Types: []byte{wireLong, wireLong, wireLonglong, wireVarchar}, Meta: []uint16{0, 0, 0, 60_000}, Nullable: []byte{0},
		Unsigned: []bool{false, false, true, false}}
	row := func(id, n uint32, u uint64, size int) []byte {
		img := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32([]byte{0}, id), n)
		img = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(img, u), uint16(size))
		return append(img, strings.Repeat("x", size)...)
	}
	of := func(id, n uint32, u uint64, size int) []change.Row {
		return rowsOf(m, change.Update, 0, row(id, 0, 1, size), row(id, n, u, size))
	}
	const none = 1 << 63 // No type holds it and its like as a number.
	beyond := rowsOf(m, change.Update, 0, row(1, 0, none, 1), row(1, 7, none, 1))
	rows := slices.Concat(beyond, of(2, 7, 1, uniteBytes), of(3, 7, 1, 1), of(4, 0, 2, 1), of(5, 0, 3, uniteBytes), of(6, 7, 3, 1), of(7, 0, 4, 1))
	w, r := newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, def, m, rows)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"UPDATE (VALUES ROW(3,7,1),ROW(4,0,2),ROW(6,7,3),ROW(7,0,4)) AS n (k0,v0,v1) STRAIGHT_JOIN `shop`.`t` FORCE INDEX (`PRIMARY`) ON `t`.`id`=n.k0 SET `t`.`n`=n.v0,`t`.`u`=n.v1",
		"UPDATE `shop`.`t` SET `n`=7 WHERE `id`=1", "UPDATE `shop`.`t` SET `n`=7 WHERE `id`=2", "UPDATE `shop`.`t` SET `u`=3 WHERE `id`=5"}
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
}

func TestOldTargetsTakeNoValues(t *testing.T) {
	for version, want := range map[string]bool{"5.7.44-log": false, "8.0.19": false, "8.0.20": true, "8.0.36": true, "8.4.0": true, "9.7.4": true, "": false} {
		if got := knowsValues(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
