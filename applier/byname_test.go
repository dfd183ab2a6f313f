package applier

import (
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// Once columns were matched by name, images without names are not read by place; they are again when the order was seen
// to be the source's.
func TestStillNamed(t *testing.T) {
	a := newTestApplier()
	name := schema.Name{Schema: "shop", Table: "t"}
	named, unnamed := &change.TableMap{Names: []string{"a"}}, &change.TableMap{}
	for i, step := range []struct {
		m        *change.TableMap
		arranged bool
		refused  bool
	}{
		{unnamed, false, false}, {named, false, false}, {unnamed, false, false},
		{named, true, false}, {unnamed, false, true}, {unnamed, false, true}, {named, false, false}, {unnamed, false, false},
	} {
		f := change.FaultOf(a.stillNamed(name, step.m, step.arranged))
		if (f != nil) != step.refused || f != nil && (f.Code != rowimage.CodeMismatch || f.Where != "shop.t" || f.Next == "") {
			t.Errorf("step %d: %+v", i, f)
		}
	}
}

// A source that lays a table out anew without a statement in its log (sql_log_bin=0) closes the epoch: what was merged
// before is written by the layout that it came with, also while the collector has the new one.
func TestAnotherArrangementClosesTheEpoch(t *testing.T) {
	collect(t, func(c *collector) {
		b := c.a.tables[schema.Name{Schema: "shop", Table: "t"}]
		old := b.layout
		c.start()
		c.give(plainTxn(1))
		target := modelTable(1)
		target.Columns[2], target.Columns[3] = target.Columns[3], target.Columns[2]
		m := modelMap()
		m.Names = []string{"id", "u", "w", "v"}
		other, err := rowimage.Bind(m, target)
		if err != nil {
			t.Fatal(err)
		}
		b.layout, b.source, b.def = other, m, other.Table()
		txn := txnAt(2, rowsOf(m, change.Insert, 0, modelRow{id: "x", w: 5, v: 6}.image())...)
		if !c.offers(txn) {
			t.Fatal("the transaction is not taken")
		}
		e, n, _ := c.epoch()
		if n != 1 || len(e.tables) != 1 || e.tables[0].layout != old || e.tables[0].def() == b.def {
			t.Fatalf("%d transactions in the first epoch, with the layout of the second: %v", n, e.tables[0].layout == other)
		}
		if e, _, _ := c.epoch(); len(e.tables) != 1 || e.tables[0].layout != other {
			t.Error("the second epoch has another layout than its images")
		}
	})
}
