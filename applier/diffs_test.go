package applier

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// partsOfDocuments are updates with MINIMAL images and JSON in parts, as rowimage.SplitDiffs gives them: REPLACE `$.a` by 1
// in the document of row 7, and in row 8 nothing of it.
func partsOfDocuments() (*schema.Table, *change.TableMap, []change.Row) {
	m := &change.TableMap{Schema: "shop", Table: "d", Types: []byte{3, 245, 3}, Meta: []uint16{0, 4, 0}, Nullable: []byte{7}}
	key := &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	def := &schema.Table{Schema: "shop", Name: "d", Engine: "InnoDB", Identity: key, Class: schema.Merged,
		Columns: []schema.Column{{Name: "id", DataType: "int", ColumnType: "int"}, {Name: "j", DataType: "json", ColumnType: "json"}, {Name: "n", DataType: "int", ColumnType: "int"}}}
	h := &change.RowsHeader{Table: m, Op: change.Update, PresentBefore: []byte{0b001}, PresentAfter: []byte{0b110}}
	diff := []byte{0, 3, '$', '.', 'a', 3, 5, 1, 0}
	return def, m, []change.Row{
		{RowsHeader: h, Before: []byte{0, 7, 0, 0, 0}, After: slices.Concat([]byte{0, byte(1 + len(diff)), 0, 0, 0, 0xff}, diff, []byte{5, 0, 0, 0})},
		{RowsHeader: h, Before: []byte{0, 8, 0, 0, 0}, After: []byte{0, 1, 0, 0, 0, 0xff, 6, 0, 0, 0}},
	}
}

// An update in parts matches its row also where a path is not there: the statement behind it tells.
func TestPartsOfDocumentsAreProved(t *testing.T) {
	def, m, rows := partsOfDocuments()
	steps := stepsFor(t, def, m, rows)
	w, r := newRecorder(1 << 20)
	if err := w.run(steps); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"UPDATE `shop`.`d` SET `j`=IF(JSON_TYPE(`j`)='OBJECT' AND JSON_CONTAINS_PATH(`j`,'one','$.a'),JSON_REPLACE(`j`,'$.a',CAST('1' AS JSON)),CAST('null' AS JSON)),`n`=5 WHERE `id`=7",
		"UPDATE `shop`.`d` SET `id`=`id` WHERE `id`=7 AND JSON_TYPE(`j`) IN ('OBJECT','ARRAY')",
		"UPDATE `shop`.`d` SET `n`=6 WHERE `id`=8",
	}, r.statements()); diff != "" {
		t.Error(diff)
	}
	w, r = newRecorder(1 << 20)
	r.matched = []int64{1, 0, 1}
	found, ok := errors.AsType[*mismatch](w.run(steps))
	if !ok || found.verb != diffsVerb || found.got != 0 || found.count != 1 {
		t.Errorf("a path that is not there gives %v", found)
	}
}
