package applier

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// Rows that write the same columns share a statement; those that write others, or nothing, or are too few, do not.
func TestUpdatesShareStatements(t *testing.T) {
	m := modelMap()
	row := func(id string, w, v int32) []byte { return modelRow{id: id, w: w, v: v}.image() }
	update := func(id string, w, v int32) []change.Row {
		return rowsOf(m, change.Update, 0, row(id, 1, 1), row(id, w, v))
	}
	rows := slices.Concat(update("a", 1, 2), update("b", 2, 1), update("c", 1, 3), update("d", 1, 4), update("e", 1, 5), update("f", 1, 1), update("g", 2, 2))
	const joined = "UPDATE (VALUES ROW('a',2),ROW('c',3),ROW('d',4),ROW('e',5)) AS n (k0,v0) STRAIGHT_JOIN `shop`.`t` FORCE INDEX (`PRIMARY`) ON `t`.`id`=n.k0 COLLATE utf8mb4_0900_ai_ci SET `t`.`v`=n.v0"
	const b, g = "UPDATE `shop`.`t` SET `w`=2 WHERE `id`='b'", "UPDATE `shop`.`t` SET `w`=2,`v`=2 WHERE `id`='g'"
	def := modelTable(0)
	w, r := newRecorder(1 << 26)
	w.joins = true
	if err := w.run(stepsFor(t, def, m, rows)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{joined, b, g}, r.statements()); diff != "" {
		t.Error(diff)
	}
	var counts []int64
	for _, x := range slices.Concat(r.counts...) {
		counts = append(counts, x.count)
	}
	if diff := cmp.Diff([]int64{4, 1, 1}, counts); diff != "" {
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
