package applier

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// keylessTable is the model table without its key.
func keylessTable() *schema.Table {
	def := modelTable(0)
	def.Identity, def.Class, def.OrderedWhy = nil, schema.Ordered, "no key"
	return def
}

// told gives each ordered change as a word: +row, -row, or row>row.
func told(rows []orderedRow) []string {
	words := []string{}
	for _, r := range rows {
		switch r.Op {
		case change.Insert:
			words = append(words, "+"+parseModelRow(r.After).id)
		case change.Delete:
			words = append(words, "-"+parseModelRow(r.Before).id)
		default:
			words = append(words, parseModelRow(r.Before).id+">"+parseModelRow(r.After).id)
		}
	}
	return words
}

func TestChainsOfKeylessRows(t *testing.T) {
	m := modelMap()
	row := func(id string) []byte { return modelRow{id: id, v: 1}.image() }
	insert := func(id string) []change.Row { return rowsOf(m, change.Insert, 0, row(id)) }
	remove := func(id string) []change.Row { return rowsOf(m, change.Delete, 0, row(id)) }
	update := func(from, to string) []change.Row { return rowsOf(m, change.Update, 0, row(from), row(to)) }
	partial := update("b", "x")
	partial[0].RowsHeader.Full = false
	for name, c := range map[string]struct {
		rows [][]change.Row
		want []string
	}{
		"an update goes on":                    {[][]change.Row{update("a", "b"), insert("y"), update("b", "longer than before")}, []string{"a>longer than before", "+y"}},
		"an insert is updated":                 {[][]change.Row{insert("a"), update("a", "b"), update("b", "c")}, []string{"+c"}},
		"an updated row is deleted":            {[][]change.Row{update("a", "b"), remove("b")}, []string{"-a"}},
		"an inserted row is deleted":           {[][]change.Row{insert("a"), insert("y"), remove("a")}, []string{"+y"}},
		"nothing is left":                      {[][]change.Row{insert("a"), update("a", "b"), remove("b")}, []string{}},
		"deleted and inserted again":           {[][]change.Row{remove("a"), insert("a")}, []string{"-a", "+a"}},
		"twice the same row":                   {[][]change.Row{insert("a"), insert("a"), remove("a"), remove("a")}, []string{"+a", "-a"}},
		"another row":                          {[][]change.Row{update("a", "b"), update("c", "d")}, []string{"a>b", "c>d"}},
		"and back":                             {[][]change.Row{update("a", "b"), update("b", "a"), remove("a")}, []string{"-a"}},
		"not past a partial image":             {[][]change.Row{update("a", "b"), partial, update("b", "c"), update("c", "d")}, []string{"a>b", "b>x", "b>d"}},
		"an update that changes nothing joins": {[][]change.Row{update("a", "a"), remove("a")}, []string{"-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, e := chainedTable(t, m), newEpoch()
			for _, rows := range c.rows {
				rows = lent(rows)
				e.order(b, &rows[0], false, true)
				spoil(rows)
			}
			for _, p := range []func() (*plan, error){func() (*plan, error) { return planRecovery(e), nil }, func() (*plan, error) { return planEpoch(e, 4, newSpentValues()) }} {
				planned, err := p()
				if err != nil || planned.free && len(c.want) > 0 || len(planned.followers) != 0 {
					t.Fatalf("plan %+v, %v", planned, err)
				}
				got := []string{}
				for _, s := range planned.leader {
					got = append(got, told(s.ordered)...)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

// chainedTable is the model table without its key, as bind gives it.
func chainedTable(t *testing.T, m *change.TableMap) *boundTable {
	b := bound(t, keylessTable(), m)
	if b.chained = mayChain(b.def); !b.chained {
		t.Fatal("a keyless table is not chained")
	}
	return b
}

func TestTablesWithoutChains(t *testing.T) {
	for name, spoil := range map[string]func(def *schema.Table){
		"JSON":                              func(def *schema.Table) { def.Columns[1].DataType = "json" },
		"a virtual column":                  func(def *schema.Table) { def.Columns[1].Generated = schema.VirtualColumn },
		"a stored column":                   func(def *schema.Table) { def.Columns[1].Generated = schema.StoredColumn },
		"a unique key, also a nullable one": func(def *schema.Table) { def.Secondary = []*schema.Key{{Name: "u"}} },
		"a key":                             func(def *schema.Table) { def.Identity = &schema.Key{Name: "k"} },
		"rows may go by a cascade":          func(def *schema.Table) { def.Cascading = true },
		"a column of the target's own":      func(def *schema.Table) { def.Added = def.Columns[:1] },
	} {
		def := keylessTable()
		if spoil(def); mayChain(def) {
			t.Errorf("%s: chained", name)
		}
	}
}

// Where a mismatch must name one transaction, or cannot be tried again, and in the parts of a large transaction, each change
// is a statement.
func TestChainsEndWhereExactnessBegins(t *testing.T) {
	m := modelMap()
	b := chainedTable(t, m)
	rows := slices.Concat(rowsOf(m, change.Insert, 0, modelRow{id: "a"}.image()), rowsOf(m, change.Delete, 0, modelRow{id: "a"}.image()))
	for name, c := range map[string]struct {
		spoil func(a *Applier, e *epoch, t *change.Txn)
		want  int
	}{
		"as always":              {func(*Applier, *epoch, *change.Txn) {}, 0},
		"in a recovery":          {func(_ *Applier, e *epoch, _ *change.Txn) { e.recovery = true }, 2},
		"a part":                 {func(_ *Applier, _ *epoch, t *change.Txn) { t.Last = false }, 2},
		"with care":              {func(a *Applier, _ *epoch, t *change.Txn) { a.cfg.Careful.Until = t.Start }, 2},
		"an epoch with care":     {func(a *Applier, e *epoch, _ *change.Txn) { e.note(txnAt(5)); a.cfg.Careful.Until = e.first }, 2},
		"behind those with care": {func(a *Applier, _ *epoch, t *change.Txn) { a.cfg.Careful.Until = txnAt(5).Start }, 0},
	} {
		a, e, txn := newTestApplier(b), newEpoch(), txnAt(10, rows...)
		c.spoil(a, e, txn)
		if _, err := a.prepare(t.Context(), e, txn); err != nil {
			t.Fatal(err)
		}
		if err := a.merge(e, txn); err != nil {
			t.Fatal(err)
		}
		if got := len(e.inOrder()); got != c.want || c.want == 0 && e.joined != 1 {
			t.Errorf("%s: %d changes, %d joined; want %d", name, got, e.joined, c.want)
		}
	}
}

// A large image does not keep a larger one that nobody counts.
func TestChainsOfLargeRows(t *testing.T) {
	m := modelMap()
	b, e := chainedTable(t, m), newEpoch()
	of := func(n int) []byte { return append(modelRow{id: "a", v: 1}.image(), make([]byte, n)...) }
	event := slices.Concat(of(change.LentImage), of(4*change.LentImage))
	n := len(of(change.LentImage))
	rows := rowsOf(m, change.Update, 0, event[:n:n], event[n:], event[n:], of(change.LentImage+1))
	for i := range rows {
		e.order(b, &rows[i], false, true)
	}
	if got := e.inOrder(); len(got) != 1 || same(got[0].Before, event) || !slices.Equal(got[0].Before, event[:n]) || !slices.Equal(got[0].After, rows[1].After) {
		t.Errorf("%d changes; the first image lies in the event of a larger one: %v", len(got), same(got[0].Before, event))
	}
	if want := n + len(rows[1].After); e.images.used != want {
		t.Errorf("%d bytes, want %d", e.images.used, want)
	}
	e.order(b, &rowsOf(m, change.Insert, 0, of(2*change.LentImage))[0], false, false)
	used := e.images.used
	e.images.drop(e.ordered[1].After)
	if want := used - len(of(2*change.LentImage)); e.images.used != want {
		t.Errorf("%d bytes, want %d", e.images.used, want)
	}
}

// A table that the source describes anew has other images: none joins one of before.
func TestNoChainGoesOnInAnotherLayout(t *testing.T) {
	m := modelMap()
	b, e := chainedTable(t, m), newEpoch()
	rows := rowsOf(m, change.Update, 0, modelRow{id: "a"}.image(), modelRow{id: "b"}.image())
	rows = append(rows, rowsOf(m, change.Delete, 0, modelRow{id: "b"}.image())...)
	e.order(b, &rows[0], false, true)
	b.layout = bound(t, keylessTable(), m).layout
	e.order(b, &rows[1], false, true)
	if diff := cmp.Diff([]string{"a>b", "-b"}, told(e.inOrder())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Joined changes find each row that they take, and leave what the source has.
func TestChainsEndAsTheSource(t *testing.T) {
	m := modelMap()
	rapid.Check(t, func(t *rapid.T) {
		draw := func() modelRow {
			return modelRow{id: rapid.SampledFrom([]string{"a", "b", "B", "c", "some more"}).Draw(t, "id"), v: rapid.Int32Range(1, 2).Draw(t, "v")}
		}
		source := map[modelRow]int{}
		for range rapid.IntRange(0, 6).Draw(t, "rows before") {
			source[draw()]++
		}
		target := maps.Clone(source)
		b := &boundTable{def: keylessTable(), chained: true}
		e := newEpoch()
		if rapid.Bool().Draw(t, "all images meet in the index") {
			c := newChain(nil)
			c.hash, e.chains[b] = func([]byte) uint64 { return 7 }, c
		}
		received := 0
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			var rows []change.Row
			there := slices.SortedFunc(maps.Keys(source), func(a, b modelRow) int { return slices.Compare(a.image(), b.image()) })
			op := change.Insert
			if len(there) > 0 {
				op = rapid.SampledFrom([]change.Op{change.Insert, change.Update, change.Update, change.Update, change.Delete}).Draw(t, "op")
			}
			after := draw()
			if op == change.Insert {
				rows = rowsOf(m, op, 0, after.image())
				source[after]++
			} else {
				before := rapid.SampledFrom(there).Draw(t, "which")
				if source[before]--; source[before] == 0 {
					delete(source, before)
				}
				if op == change.Delete {
					rows = rowsOf(m, op, 0, before.image())
				} else {
					rows = rowsOf(m, op, 0, before.image(), after.image())
					source[after]++
				}
			}
			rows[0].RowsHeader.Full = rapid.IntRange(0, 9).Draw(t, "whole") > 0
			rows = lent(rows)
			e.order(b, &rows[0], false, true)
			spoil(rows)
			received++
		}
		if c := e.chains[b]; c != nil {
			for hash, at := range c.left {
				if e.ordered[at].After == nil || c.hash(e.ordered[at].After) != hash {
					t.Fatal("the index leads to an image that is gone")
				}
			}
		}
		undone := e.undone
		for i, r := range e.inOrder() {
			if r.Before != nil {
				before := parseModelRow(r.Before)
				if target[before] == 0 {
					t.Fatalf("change %d (%s) finds no row", i, told([]orderedRow{r}))
				}
				if target[before]--; target[before] == 0 {
					delete(target, before)
				}
			}
			if r.After != nil {
				target[parseModelRow(r.After)]++
			}
			if wrong := (r.Op == change.Insert) != (r.Before == nil) || (r.Op == change.Delete) != (r.After == nil); wrong {
				t.Fatalf("change %d says %s, with images %v, %v", i, r.Op, r.Before, r.After)
			}
		}
		if diff := cmp.Diff(fmt.Sprint(source), fmt.Sprint(target)); diff != "" {
			t.Fatalf("source and target (-want +got):\n%s", diff)
		}
		if len(e.inOrder()) != received-e.joined-undone || e.rows != received-e.joined {
			t.Fatalf("%d changes received, %d joined, %d left, %d undone, %d rows", received, e.joined, len(e.inOrder()), undone, e.rows)
		}
	})
}
