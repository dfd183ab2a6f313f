package applier

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// Each write of a row is followed by the proof of its generated column, also where nothing else has changed; a delete has
// none.
func TestProofStatements(t *testing.T) {
	m := zeroMap(wireVarchar, 80)
	row := func(id int32, x string) []byte { return zeroImage(id, 1, text(x)) }
	const insert, update = "INSERT INTO `shop`.`z` (`id`,`e`) VALUES ", "UPDATE `shop`.`z` SET "
	proof := func(id, x string) string {
		return update + "`id`=`id` WHERE `id`=" + id + " AND CAST(`x` AS BINARY)<=>_binary'" + x + "'"
	}
	for name, c := range map[string]struct {
		rows []change.Row
		want []string
	}{
		"inserts":               {rowsOf(m, change.Insert, 0, row(1, "a"), row(2, "b")), []string{insert + "(1,1),(2,1)", proof("1", "a"), proof("2", "b")}},
		"an update of it alone": {rowsOf(m, change.Update, 0, row(1, "a"), row(1, "b")), []string{proof("1", "b")}},
		"as many as are joined": {rowsOf(m, change.Update, 0, row(1, "a"), row(1, "b"), row(2, "a"), row(2, "b"), row(3, "a"), row(3, "b"), row(4, "a"), row(4, "b")),
			[]string{proof("1", "b"), proof("2", "b"), proof("3", "b"), proof("4", "b")}},
		"a delete": {rowsOf(m, change.Delete, 0, row(1, "a")), []string{"DELETE /*+ INDEX(`z` `PRIMARY`) */ FROM `shop`.`z` WHERE `id` IN (1)"}},
	} {
		for _, class := range []schema.Class{schema.Merged, schema.Ordered} {
			def := zeroTable(0)
			def.Class = class
			def.Columns[2].Generated, def.Columns[2].SessionBound, def.Columns[2].Reads = schema.StoredColumn, true, []string{"e"}
			want := c.want
			if class == schema.Ordered && name == "a delete" {
				want = []string{"DELETE FROM `shop`.`z` WHERE `id`=1"}
			}
			for _, joins := range []bool{false, true} {
				w, r := newRecorder(1 << 20)
				w.joins = joins
				if err := w.run(stepsFor(t, def, m, c.rows)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, r.statements()); diff != "" {
					t.Errorf("%s, %v, the target knows VALUES: %v: %s", name, class, joins, diff)
				}
			}
		}
	}
}
