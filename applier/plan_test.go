package applier

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// scene is a source and a target that are equal, and changes that the source has made since.
type scene struct {
	unique         int
	source, target *table
	applier        *Applier
	table          *boundTable
	rows           []change.Row
}

func drawScene(t *rapid.T, tb testing.TB) *scene {
	s := &scene{unique: rapid.IntRange(0, 2).Draw(t, "unique keys")}
	s.table = bound(tb, modelTable(s.unique), modelMap())
	s.applier = newTestApplier(s.table)
	s.source = newTable(s.unique)
	for i, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "B", "c", "d", "E", "f", "g", "h"}), rapid.ID).Draw(t, "rows before") {
		_ = s.source.insert(modelRow{id: id, u: int32(i % 7), w: int32((i + 3) % 7), v: 1}) // Those that do not fit are left out.
	}
	s.target = s.source.clone()
	s.rows = drawChanges(t, s.source, s.table.source, rapid.IntRange(1, 25).Draw(t, "changes"))
	return s
}

func (s *scene) merge(t *rapid.T, tb testing.TB, rows []change.Row) *epoch {
	e, err := mergeRows(tb.Context(), s.applier, rows)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustPlan(t *rapid.T, e *epoch, shards int) *plan {
	spent := newSpentValues()
	if hash := spent.hash; rapid.Bool().Draw(t, "values share hashes") {
		spent.hash = func(value []byte) uint64 { return hash(value) & 3 }
	}
	p, err := planEpoch(e, shards, spent)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *scene) compare(t *rapid.T) {
	t.Helper()
	if diff := gocmp.Diff(s.source.rows, s.target.rows, gocmp.AllowUnexported(modelRow{})); diff != "" {
		t.Fatalf("source and target differ:\n%s", diff)
	}
}

// TestStrictPlanReachesTheSourcesState: at no moment is a unique value there twice, and nothing is missing or left
// over in the end.
func TestStrictPlanReachesTheSourcesState(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		p := mustPlan(r, s.merge(r, t, s.rows), 0)
		if len(p.followers) != 0 {
			r.Fatalf("%d followers in strict mode", len(p.followers))
		}
		acts := actsOf(p.leader)
		if err := s.target.doAll(r, acts); err != nil {
			r.Fatal(err)
		}
		s.compare(r)
	})
}

// TestSlicesOfALargeTransaction: an oversized transaction is planned part by part.
func TestSlicesOfALargeTransaction(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		for rest := s.rows; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(r, "rows in the part")
			p := mustPlan(r, s.merge(r, t, rest[:n]), 0)
			if err := s.target.doAll(r, actsOf(p.leader)); err != nil {
				r.Fatal(err)
			}
			rest = rest[n:]
		}
		s.compare(r)
	})
}

// TestSplitPlanReachesTheSourcesStateInAnyInterleaving: leader and followers execute at the same time.
func TestSplitPlanReachesTheSourcesStateInAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		shards := rapid.IntRange(1, 5).Draw(r, "shards")
		p := mustPlan(r, s.merge(r, t, s.rows), shards)
		if len(p.followers) > shards {
			r.Fatalf("%d followers, at most %d", len(p.followers), shards)
		}
		sessions := [][]act{actsOf(p.leader)}
		for _, f := range p.followers {
			if len(actsOf(f)) == 0 {
				r.Fatal("a follower with nothing to do")
			}
			sessions = append(sessions, actsOf(f))
		}
		if err := disjoint(sessions, s); err != "" {
			r.Fatal(err)
		}
		if err := s.target.doAll(r, sessions...); err != nil {
			r.Fatal(err)
		}
		s.compare(r)
	})
}

// disjoint says what is wrong with the cut: a key on two sessions, ranges that cross, or a follower that touches a
// secondary unique index in which a value is used again: its checks could wait for another session across the commit
// barrier.
func disjoint(sessions [][]act, s *scene) string {
	owner := map[string]int{}
	last := ""
	crowded := s.reuses(slices.Concat(sessions...))
	for i, acts := range sessions {
		lowest, highest := "", ""
		for _, a := range acts {
			key := a.row.key
			if o, ok := owner[key]; ok && o != i {
				return "a key is on two sessions"
			}
			owner[key] = i
			lowest, highest = cmp.Or(lowest, key), max(highest, key)
			lowest = min(lowest, key)
			if i == 0 {
				continue
			}
			if given, taken := s.uniqueValues(a); crowded && len(given)+len(taken) > 0 {
				return "a follower gives up or takes a unique value while one is used again"
			}
		}
		if i > 0 && lowest <= last {
			return "the followers' ranges are not contiguous"
		}
		if i > 0 {
			last = highest
		}
	}
	return ""
}

// uniqueValues are the values that a row gives up and takes, each with its key.
func (s *scene) uniqueValues(a act) (given, taken [][2]int) {
	var before, after []int32
	if a.row.before != nil && a.verb != insertRows {
		before = s.target.uniques(parseModelRow(a.row.before))
	}
	if a.row.after != nil && a.verb != deleteRows {
		after = s.target.uniques(parseModelRow(a.row.after))
	}
	at := func(values []int32, k int) int {
		if k < len(values) {
			return int(values[k])
		}
		return 0
	}
	for k := range s.unique {
		if at(before, k) == at(after, k) {
			continue
		}
		if v := at(before, k); v != 0 {
			given = append(given, [2]int{k, v})
		}
		if v := at(after, k); v != 0 {
			taken = append(taken, [2]int{k, v})
		}
	}
	return given, taken
}

// reuses reports whether a row takes a value that one gives up.
func (s *scene) reuses(acts []act) bool {
	given := map[[2]int]bool{}
	for _, a := range acts {
		g, _ := s.uniqueValues(a)
		for _, v := range g {
			given[v] = true
		}
	}
	return slices.ContainsFunc(acts, func(a act) bool {
		_, taken := s.uniqueValues(a)
		return slices.ContainsFunc(taken, func(v [2]int) bool { return given[v] })
	})
}

// Under PRIMARY KEY (id(2)) a row of which a follower left 'aaX' may be 'aaY' by the end of the recovery's epoch, and no
// statement would find it: such rows are not a follower's.
func TestRowsKnownByAPartOfTheirKeyTravelWithTheLeader(t *testing.T) {
	for _, prefix := range []int{0, 2} {
		def, m := modelTable(0), modelMap()
		def.Identity.Parts[0].Prefix = prefix
		a, e := newTestApplier(bound(t, def, m)), newEpoch()
		row := func(id string, v int32) []byte { return modelRow{id: id, v: v}.image() }
		txn := txnAt(1, slices.Concat(rowsOf(m, change.Update, 0, row("aaX", 1), row("aaY", 1), row("bbX", 1), row("bbX", 2)), rowsOf(m, change.Insert, 0, row("ccX", 1)))...)
		if _, err := a.prepare(t.Context(), e, txn); err != nil {
			t.Fatal(err)
		}
		if err := a.merge(e, txn); err != nil {
			t.Fatal(err)
		}
		p, err := planEpoch(e, 4, newSpentValues())
		if err != nil {
			t.Fatal(err)
		}
		if leads, follows := len(actsOf(p.leader)), len(p.followers); (follows == 0) != (prefix > 0) || (leads > 0) != (prefix > 0) || p.free == (prefix > 0) {
			t.Errorf("prefix %d: %d rows lead, %d followers, free %v", prefix, leads, follows, p.free)
		}
	}
}

// TestRecoveryFromAnySubsetOfFollowers: some followers have committed and the leader has not. The recovery reads at
// least the epoch again, and more when another source interleaves the transactions differently.
func TestRecoveryFromAnySubsetOfFollowers(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScene(r, t)
		p := mustPlan(r, s.merge(r, t, s.rows), rapid.IntRange(1, 5).Draw(r, "shards"))
		for _, f := range p.followers {
			if rapid.Bool().Draw(r, "committed") {
				if err := s.target.doAll(r, actsOf(f)); err != nil {
					r.Fatal(err)
				}
			}
		}
		more := drawChanges(r, s.source, s.table.source, rapid.IntRange(0, 10).Draw(r, "more changes"))
		again := s.merge(r, t, slices.Concat(s.rows, more))
		again.recovery = true
		for range rapid.IntRange(1, 2).Draw(r, "times") { // The recovery itself may be repeated.
			if err := s.target.doAll(r, actsOf(planRecovery(again).leader)); err != nil {
				r.Fatal(err)
			}
		}
		s.compare(r)
	})
}

// TestShardsWeighAlike: contiguous ranges over several tables, none of more than its share and one row.
func TestShardsWeighAlike(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(r, "shards")
		tables := make([]tableRows, rapid.IntRange(1, 4).Draw(r, "tables"))
		total, largest, count := 0, 0, 0
		for i := range tables {
			tables[i].tc = &tableChanges{}
			for range rapid.IntRange(0, 30).Draw(r, "rows") {
				img := make([]byte, rapid.IntRange(0, 200).Draw(r, "size"))
				tables[i].rows = append(tables[i].rows, &plannedRow{netChange: &netChange{key: string(rune(count)), before: img, last: img}})
				total, largest, count = total+64+len(img), max(largest, 64+len(img)), count+1
			}
		}
		seen := -1
		for _, steps := range shard(tables, n) {
			weight := 0
			for _, a := range actsOf(steps) {
				key := int([]rune(a.row.key)[0])
				if key != seen+1 {
					r.Fatalf("row %d follows row %d", key, seen)
				}
				seen, weight = key, weight+64+len(a.row.last)
			}
			if weight > total/n+1+largest {
				r.Fatalf("a shard weighs %d of %d in %d, the largest row %d", weight, total, n, largest)
			}
		}
		if seen != count-1 {
			r.Fatalf("%d rows of %d are in the shards", seen+1, count)
		}
	})
}

func TestPlan(t *testing.T) {
	m := modelMap()
	ins := func(r modelRow) []change.Row { return rowsOf(m, change.Insert, 0, r.image()) }
	del := func(r modelRow) []change.Row { return rowsOf(m, change.Delete, 0, r.image()) }
	upd := func(a, b modelRow) []change.Row { return rowsOf(m, change.Update, 0, a.image(), b.image()) }
	cases := map[string]struct {
		rows []change.Row
		want []string
	}{
		"insert and delete leave nothing": {slices.Concat(ins(modelRow{"a", 1, 0, 1}), del(modelRow{"a", 1, 0, 1})), nil},
		"insert and update is an insert": {slices.Concat(ins(modelRow{"a", 1, 0, 1}), upd(modelRow{"a", 1, 0, 1}, modelRow{"a", 2, 0, 1})),
			[]string{"INSERT a"}},
		"delete and insert is an update, also under another spelling of the key": {
			slices.Concat(del(modelRow{"a", 0, 0, 1}), ins(modelRow{"A", 0, 0, 2})), []string{"UPDATE a"}},
		"an update of the key is a delete and an insert": {upd(modelRow{"a", 1, 0, 1}, modelRow{"b", 1, 0, 1}), []string{"DELETE a", "INSERT b"}},
		"a change of the key's case stays an update":     {upd(modelRow{"a", 1, 0, 1}, modelRow{"A", 1, 0, 1}), []string{"UPDATE a"}},
		"update and delete is a delete of what was there before": {
			slices.Concat(upd(modelRow{"a", 1, 0, 1}, modelRow{"A", 2, 0, 2}), del(modelRow{"A", 2, 0, 2})), []string{"DELETE a"}},
		"a value that moves on to another row": {
			slices.Concat(upd(modelRow{"a", 1, 0, 1}, modelRow{"a", 9, 0, 1}), upd(modelRow{"b", 2, 0, 1}, modelRow{"b", 1, 0, 1})),
			[]string{"DELETE a", "UPDATE b", "INSERT a"}},
		"two rows that swap a value through NULL": {
			slices.Concat(upd(modelRow{"a", 1, 0, 1}, modelRow{"a", 0, 0, 1}), upd(modelRow{"b", 2, 0, 1}, modelRow{"b", 1, 0, 1}),
				upd(modelRow{"a", 0, 0, 1}, modelRow{"a", 2, 0, 1})),
			[]string{"DELETE a", "DELETE b", "INSERT a", "INSERT b"}},
		"a value that a delete gives up": {slices.Concat(del(modelRow{"a", 1, 0, 1}), upd(modelRow{"b", 2, 0, 1}, modelRow{"b", 1, 0, 1})),
			[]string{"DELETE a", "UPDATE b"}},
		"NULL is no value to meet on": {
			slices.Concat(upd(modelRow{"a", 0, 0, 1}, modelRow{"a", 1, 0, 1}), upd(modelRow{"b", 2, 0, 1}, modelRow{"b", 0, 0, 1})),
			[]string{"UPDATE a", "UPDATE b"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := mergeRows(t.Context(), newTestApplier(bound(t, modelTable(2), m)), c.rows)
			if err != nil {
				t.Fatal(err)
			}
			p, err := planEpoch(e, 0, newSpentValues())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range actsOf(p.leader) {
				img := a.row.before
				if img == nil {
					img = a.row.after
				}
				got = append(got, a.verb.String()+" "+parseModelRow(img).id)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestContradictionsHalt: what no history of a key can be is not merged away.
func TestContradictionsHalt(t *testing.T) {
	m := modelMap()
	a, b := modelRow{"a", 1, 0, 1}, modelRow{"b", 2, 0, 1}
	ins, del := rowsOf(m, change.Insert, 0, a.image()), rowsOf(m, change.Delete, 0, a.image())
	cases := map[string][]change.Row{
		"inserted twice":                    slices.Concat(ins, ins),
		"deleted twice":                     slices.Concat(del, del),
		"updated after its delete":          slices.Concat(del, rowsOf(m, change.Update, 0, a.image(), a.image())),
		"another row takes a key in use":    slices.Concat(ins, rowsOf(m, change.Update, 0, b.image(), a.image())),
		"inserted under another spelling":   slices.Concat(ins, rowsOf(m, change.Insert, 0, modelRow{"A", 3, 0, 1}.image())),
		"moved away and then deleted there": slices.Concat(rowsOf(m, change.Update, 0, a.image(), b.image()), del),
	}
	for name, rows := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := mergeRows(t.Context(), newTestApplier(bound(t, modelTable(1), m)), rows)
			f := change.FaultOf(err)
			if f == nil || f.Code != "BS-LOG-CONTRADICTION" || !change.Halts(err) {
				t.Fatalf("got %v", err)
			}
			if want := "binlog.000001:9: shop.t"; f.Where != want {
				t.Errorf("where: got %q, want %q", f.Where, want)
			}
		})
	}
}

// TestClassOf: the class is decided by event, since any session of the source may switch the checks, and a server
// of 9.6 tells by event whether it has logged the cascades itself.
func TestClassOf(t *testing.T) {
	plain, keyless := &schema.Table{}, &schema.Table{Class: schema.Ordered}
	family := &schema.Table{Cascading: true}
	cases := map[string]struct {
		table           *schema.Table
		flags           uint16
		ordered, checks bool
	}{
		"an ordinary table": {plain, 0, false, false},
		"a keyless table":   {keyless, 0, true, false},
		"a cascading family when the source leaves cascades to its replica":       {family, 0, true, true},
		"the same in a session with foreign_key_checks=0":                         {family, change.FlagNoForeignKeyChecks, true, false},
		"a cascading family of a source that logs cascades":                       {family, change.FlagSQLForeignKeys, false, false},
		"the same in a session with foreign_key_checks=0, logging cascades":       {family, change.FlagSQLForeignKeys | change.FlagNoForeignKeyChecks, false, false},
		"a keyless table in a cascading family of a source that logs cascades":    {&schema.Table{Cascading: true, Class: schema.Ordered}, change.FlagSQLForeignKeys, true, false},
		"an ordinary table in a session with foreign_key_checks=0 is not special": {plain, change.FlagNoForeignKeyChecks, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ordered, checks := classOf(&boundTable{def: c.table}, &change.RowsHeader{Flags: c.flags, Full: true})
			if ordered != c.ordered || checks != c.checks {
				t.Errorf("ordered %v, checks %v; want %v, %v", ordered, checks, c.ordered, c.checks)
			}
			if ordered, checks := classOf(&boundTable{def: c.table}, &change.RowsHeader{Flags: c.flags}); !ordered || checks != c.checks {
				t.Errorf("with partial images: ordered %v, checks %v; want true, %v", ordered, checks, c.checks)
			}
		})
	}
}

// Two updates that turn a document from 1 into 1.0 would leave the target's row as it is (the server takes them for equal):
// such a row is deleted and inserted. One with another column beside it, or that came in one update, is updated.
func TestMergedDocumentsAreWrittenAnew(t *testing.T) {
	const wireJSON = 245
	def := &schema.Table{Schema: "shop", Name: "j", Engine: "InnoDB", Columns: []schema.Column{
		{Name: "id", DataType: "int", ColumnType: "int"}, {Name: "v", DataType: "int", ColumnType: "int"}, {Name: "doc", DataType: "json", ColumnType: "json"}}}
	def.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	m := &change.TableMap{Schema: "shop", Table: "j", Types: []byte{wireLong, wireLong, wireJSON}, Meta: []uint16{0, 0, 4}, Nullable: []byte{0}}
	one, half, two := []byte{5, 1, 0}, []byte{0x0b, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, []byte{0x0b, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f} // 1, 0.5, 1.0
	image := func(id, v byte, doc []byte) []byte {
		return slices.Concat([]byte{0, id, 0, 0, 0, v, 0, 0, 0, byte(len(doc)), 0, 0, 0}, doc)
	}
	b := bound(t, def, m)
	b.json = true
	rows := rowsOf(m, change.Update, 0, image(1, 1, one), image(1, 1, half), image(1, 1, half), image(1, 1, two),
		image(2, 1, one), image(2, 1, half), image(2, 1, half), image(2, 2, two),
		image(3, 1, one), image(3, 1, half))
	e, err := mergeRows(t.Context(), newTestApplier(b), rows)
	if err != nil {
		t.Fatal(err)
	}
	p, err := planEpoch(e, 0, newSpentValues())
	if err != nil {
		t.Fatal(err)
	}
	got := map[verb][]byte{}
	for _, s := range p.leader {
		for _, r := range s.rows {
			got[s.verb] = append(got[s.verb], r.last[1]) // The id.
		}
	}
	if diff := gocmp.Diff(map[verb][]byte{deleteRows: {1}, updateRows: {2, 3}, insertRows: {1}}, got); diff != "" {
		t.Error(diff)
	}
}
