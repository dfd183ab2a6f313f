package rowimage

import (
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// boundTable is (id INT PRIMARY KEY, v INT, g INT, h INT), g made of v and bound to the session, h generated and settled.
func boundTable(t *testing.T) (*change.TableMap, *schema.Table) {
	t.Helper()
	g, h := intColumn("g"), intColumn("h")
	g.column.Generated, g.column.SessionBound, g.column.Reads = schema.StoredColumn, true, []string{"v"}
	h.column.Generated = schema.StoredColumn
	m, def := tableOf(intColumn("id"), intColumn("v"), g, h)
	def.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	return m, def
}

func TestAppendProof(t *testing.T) {
	m, def := boundTable(t)
	full := func(op change.Op, images ...[]byte) change.Row {
		r := change.Row{RowsHeader: &change.RowsHeader{Op: op, Full: true}, After: images[len(images)-1]}
		if op == change.Update {
			r.Before = images[0]
		}
		return r
	}
	partial := func(after byte, img []byte) change.Row {
		return change.Row{RowsHeader: partialHeader(m, change.Update, 0b0001, after), Before: image(int4(7)), After: img}
	}
	keyless := *def
	keyless.Identity = nil
	for name, c := range map[string]struct {
		def    *schema.Table
		row    change.Row
		want   string
		unique bool
	}{
		"an insert":                           {def, full(change.Insert, image(int4(7), int4(1), int4(3), int4(4))), "`id`=`id` WHERE `id`=7 AND `g`<=>3", true},
		"an update":                           {def, full(change.Update, image(int4(7), int4(1), int4(3), int4(4)), image(int4(7), int4(2), nil, int4(4))), "`id`=`id` WHERE `id`=7 AND `g`<=>NULL", true},
		"without a key":                       {&keyless, full(change.Insert, image(int4(7), int4(1), int4(3), int4(4))), "`id`=`id` WHERE `id`<=>7 AND `v`<=>1 AND `g`<=>3", false},
		"a partial image with it":             {def, partial(0b0110, image(int4(1), int4(3))), "`id`=`id` WHERE `id`=7 AND `g`<=>3", true},
		"one that does not make it anew":      {def, partial(0b0001, image(int4(8))), "", false},
		"one with a settled column, not ours": {def, partial(0b1000, image(int4(8))), "", false},
	} {
		l := mustBind(t, m, c.def)
		if !l.NeedsProof() {
			t.Fatal("nothing to prove")
		}
		out, unique, some, err := l.AppendProof(nil, &c.row)
		if err != nil || string(out) != c.want || unique != c.unique || some != (c.want != "") {
			t.Errorf("%s: %s, %v, %v, %v", name, out, unique, some, err)
		}
	}
	// The target would compute g anew, and the image does not tell what it must be.
	r := partial(0b0010, image(int4(1)))
	_, _, _, err := mustBind(t, m, def).AppendProof(nil, &r)
	if f := change.FaultOf(err); f == nil || f.Code != CodePartial {
		t.Errorf("an image without the column: %v", err)
	}
}

// Columns in another order on the target: what is read is found by name.
func TestAppendProofByName(t *testing.T) {
	m, def := boundTable(t)
	m.Names = []string{"v", "g", "h", "id"}
	l := mustBind(t, m, def)
	r := change.Row{RowsHeader: &change.RowsHeader{Op: change.Insert, Full: true}, After: image(int4(1), int4(3), int4(4), int4(7))}
	out, _, _, err := l.AppendProof(nil, &r)
	if want := "`v`=`v` WHERE `id`=7 AND `g`<=>3"; err != nil || string(out) != want {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
	for n := range r.After {
		cut := r
		cut.After = r.After[:n]
		if _, _, _, err := l.AppendProof(nil, &cut); err == nil {
			t.Errorf("an image cut to %d bytes is taken", n)
		}
	}
	m, def = boundTable(t)
	def.Columns[2].SessionBound = false
	if mustBind(t, m, def).NeedsProof() {
		t.Error("a settled column needs a proof")
	}
}
