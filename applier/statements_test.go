package applier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// recorder is a session that keeps what it is sent. It answers with matched, or as every statement expects.
type recorder struct {
	writer  *writer
	packets []string
	counts  [][]expectation
	matched []int64
	err     error

	warnings int64 // Of what is loaded.
}

func (r *recorder) exec(_ context.Context, sql string) ([]int64, error) {
	r.packets = append(r.packets, strings.Clone(sql)) // The writer goes on to use its memory.
	r.counts = append(r.counts, slices.Clone(r.writer.sent))
	if r.matched != nil || r.err != nil {
		return r.matched, r.err
	}
	var counts []int64
	for _, x := range r.writer.sent {
		counts = append(counts, max(x.count, 0))
	}
	return counts, nil
}

func (r *recorder) load(_ context.Context, into string, lines io.Reader) (loaded, warnings int64, err error) {
	text, err := io.ReadAll(lines)
	r.packets = append(r.packets, into+"\n"+string(text))
	r.counts = append(r.counts, slices.Clone(r.writer.sent))
	return int64(bytes.Count(text, []byte("\n"))), r.warnings, err
}

func newRecorder(limit int) (*writer, *recorder) {
	r := &recorder{}
	r.writer = &writer{ctx: context.Background(), session: r, limit: limit}
	return r.writer, r
}

// stepsFor plans row changes strictly.
func stepsFor(t testing.TB, def *schema.Table, m *change.TableMap, rows []change.Row) []step {
	t.Helper()
	e, err := mergeRows(t.Context(), newTestApplier(bound(t, def, m)), rows)
	if err != nil {
		t.Fatal(err)
	}
	p, err := planEpoch(e, 0, newSpentValues())
	if err != nil {
		t.Fatal(err)
	}
	return p.leader
}

// sent holds what was sent, and the counts that it must have, against what is wanted.
func (r *recorder) sent(t *testing.T, want []string, counts []int64) {
	t.Helper()
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
	var got []int64
	for _, x := range slices.Concat(r.counts...) {
		got = append(got, x.count)
	}
	if diff := cmp.Diff(counts, got); diff != "" {
		t.Error(diff)
	}
}

// statements cuts the packets at separators; the tests' values hold none.
func (r *recorder) statements() []string {
	var all []string
	for _, p := range r.packets {
		for _, s := range strings.Split(p, ";") {
			all = append(all, strings.ReplaceAll(s, "/* binseal applier */ ", ""))
		}
	}
	return all
}

func TestStatements(t *testing.T) {
	m := modelMap()
	row := func(id string, v int32) []byte { return modelRow{id: id, v: v}.image() }
	cases := map[string]struct {
		rows   []change.Row
		want   []string
		counts []int64
	}{
		"neighbours share a statement": {
			slices.Concat(rowsOf(m, change.Insert, 0, row("b", 2), row("a", 1)), rowsOf(m, change.Delete, 0, row("d", 1), row("c", 1))),
			[]string{"DELETE /*+ INDEX(`t` `PRIMARY`) */ FROM `shop`.`t` WHERE `id` IN ('c','d')", "INSERT INTO `shop`.`t` (`id`,`u`,`w`,`v`) VALUES ('a',NULL,NULL,1),('b',NULL,NULL,2)"},
			[]int64{2, 2}},
		"an update names what has changed": {
			rowsOf(m, change.Update, 0, row("a", 1), row("a", 2)), []string{"UPDATE `shop`.`t` SET `v`=2 WHERE `id`='a'"}, []int64{1}},
		"an update of the key's case names the key": {
			rowsOf(m, change.Update, 0, row("a", 1), row("A", 1)), []string{"UPDATE `shop`.`t` SET `id`='A' WHERE `id`='a'"}, []int64{1}},
		"changed and changed back writes nothing, and no separator stays behind": {
			slices.Concat(rowsOf(m, change.Update, 0, row("a", 1), row("a", 2)), rowsOf(m, change.Update, 0, row("a", 2), row("a", 1)),
				rowsOf(m, change.Update, 0, row("b", 1), row("b", 2)),
				rowsOf(m, change.Update, 0, row("c", 1), row("c", 2)), rowsOf(m, change.Update, 0, row("c", 2), row("c", 1)),
				rowsOf(m, change.Update, 0, row("d", 1), row("d", 2)),
				rowsOf(m, change.Update, 0, row("e", 1), row("e", 2)), rowsOf(m, change.Update, 0, row("e", 2), row("e", 1))),
			[]string{"UPDATE `shop`.`t` SET `v`=2 WHERE `id`='b'", "UPDATE `shop`.`t` SET `v`=2 WHERE `id`='d'"}, []int64{1, 1}},
		"nothing but such rows sends nothing": {
			slices.Concat(rowsOf(m, change.Update, 0, row("a", 1), row("a", 2)), rowsOf(m, change.Update, 0, row("a", 2), row("a", 1))), nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, r := newRecorder(1 << 26)
			if err := w.run(stepsFor(t, modelTable(0), m, c.rows)); err != nil {
				t.Fatal(err)
			}
			r.sent(t, c.want, c.counts)
			if w.statements != len(c.want) {
				t.Errorf("%d statements counted, want %d", w.statements, len(c.want))
			}
		})
	}
}

func TestRecoveryDeletesProveNothing(t *testing.T) {
	m := modelMap()
	w, r := newRecorder(1 << 26)
	e, err := mergeRows(t.Context(), newTestApplier(bound(t, modelTable(0), m)), slices.Concat(
		rowsOf(m, change.Insert, 0, modelRow{id: "a", v: 1}.image()), rowsOf(m, change.Delete, 0, modelRow{id: "a", v: 1}.image()),
		rowsOf(m, change.Insert, 0, modelRow{id: "b", v: 1}.image())))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(planRecovery(e).leader); err != nil {
		t.Fatal(err)
	}
	want := []string{"DELETE /*+ INDEX(`t` `PRIMARY`) */ FROM `shop`.`t` WHERE `id` IN ('a','b')", "INSERT INTO `shop`.`t` (`id`,`u`,`w`,`v`) VALUES ('b',NULL,NULL,1)"}
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
	if r.counts[0][0].count != anyCount || r.counts[0][1].count != 1 {
		t.Errorf("expectations %v", r.counts[0])
	}
}

// wideTable has a text column of up to n bytes behind its key.
func wideTable(n int) (*schema.Table, *change.TableMap) {
	def := &schema.Table{Schema: "shop", Name: "wide", Engine: "InnoDB", Columns: []schema.Column{
		{Name: "id", DataType: "int", ColumnType: "int"},
		{Name: "b", DataType: "varbinary", ColumnType: "varbinary", MaxBytes: int64(n)}}}
	def.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	return def, &change.TableMap{Schema: "shop", Table: "wide", Types: []byte{wireLong, wireVarchar}, Meta: []uint16{0, uint16(n)}, Nullable: []byte{0}}
}

func wideRow(id int32, size int) []byte {
	img := []byte{0, byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24), byte(size), byte(size >> 8)}
	return append(img, strings.Repeat("x", size)...)
}

// TestPacketsAndStatementsStayWithinTheirBounds, also when the target takes less than our own bounds; and each
// statement is expected to match as many rows as it has.
func TestPacketsAndStatementsStayWithinTheirBounds(t *testing.T) {
	def, m := wideTable(60_000)
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.SampledFrom([]int{2_000, 70_000, 300_000, 600_000, 1<<20 - packetReserve, 16 << 20}).Draw(r, "limit")
		var rows []change.Row
		id := int32(0)
		for range rapid.IntRange(1, 12).Draw(r, "groups") {
			size := rapid.SampledFrom([]int{0, 1, 900, 1500, 40_000, 60_000}).Draw(r, "size")
			op := rapid.SampledFrom([]change.Op{change.Insert, change.Update, change.Delete}).Draw(r, "op")
			for range rapid.SampledFrom([]int{1, 2, 40, 1300}).Draw(r, "rows") {
				if id++; size > 2_000 && id%40 != 0 || size > limit-200 {
					size = 1
				}
				images := [][]byte{wideRow(id, size)}
				if op == change.Update {
					images = append(images, wideRow(id, size+1))
				}
				rows = append(rows, rowsOf(m, op, 0, images...)...)
			}
		}
		w, rec := newRecorder(limit)
		if err := w.run(stepsFor(t, def, m, rows)); err != nil {
			r.Fatal(err)
		}
		total := int64(0)
		for i, packet := range rec.packets {
			statements := strings.Split(packet, ";")
			if len(packet) > limit || len(packet) > packetBytes && len(statements) > 1 {
				r.Fatalf("a packet of %d bytes and %d statements; the target takes %d", len(packet), len(statements), limit)
			}
			if len(statements) != len(rec.counts[i]) {
				r.Fatalf("%d statements, %d expectations", len(statements), len(rec.counts[i]))
			}
			for j, s := range statements {
				n := int64(1)
				if verb, list, _ := strings.Cut(s, "VALUES ("); verb != s {
					n = int64(strings.Count(list, "),(")) + 1
				} else if verb, list, _ := strings.Cut(s, " IN ("); verb != s {
					n = int64(strings.Count(list, ",")) + 1
				} else if _, limit, _ := strings.Cut(s, " LIMIT "); limit != "" {
					if n, _ = strconv.ParseInt(limit, 10, 64); n < int64(rangeFrom) || n > maxRange {
						r.Fatalf("a range of %d rows", n)
					}
					total += n
					continue
				}
				if n != rec.counts[i][j].count || n > maxRowsPerSQL || n > 1 && len(s) > maxSQLBytes {
					r.Fatalf("a statement of %d rows and %d bytes, of which %d are expected: %.80s", n, len(s), rec.counts[i][j].count, s)
				}
				total += n
			}
		}
		if total != int64(len(rows)) {
			r.Fatalf("%d rows written of %d", total, len(rows))
		}
	})
}

func TestRowsAboveTheTargetsPacketAreRefusedByName(t *testing.T) {
	def, m := wideTable(60_000)
	for name, rows := range map[string][]change.Row{
		"an insert":                  rowsOf(m, change.Insert, 0, wideRow(1, 5_000)),
		"an insert among small ones": rowsOf(m, change.Insert, 0, wideRow(1, 5), wideRow(2, 5_000), wideRow(3, 5)),
		"an update":                  rowsOf(m, change.Update, 0, wideRow(1, 5), wideRow(1, 5_000)),
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newRecorder(4_000)
			err := w.run(stepsFor(t, def, m, rows))
			f := change.FaultOf(err)
			if f == nil || f.Code != "BS-TOO-LARGE" || f.Class != change.ClassPerson || f.Where != "shop.wide" {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(f.Error()+f.Next, "xxx") {
				t.Errorf("a row value is in the error: %.200s", f)
			}
		})
	}
}

func TestCountsAreChecked(t *testing.T) {
	m := modelMap()
	rows := slices.Concat(rowsOf(m, change.Delete, 0, modelRow{id: "a", v: 1}.image()), rowsOf(m, change.Insert, 0, modelRow{id: "b", v: 1}.image()))
	lost := errors.New("connection lost")
	cases := map[string]struct {
		matched []int64
		err     error
		want    string
	}{
		"a row is missing":              {[]int64{0, 1}, nil, "DELETE matched 0 rows of shop.t, expected 1"},
		"one too many":                  {[]int64{1, 2}, nil, "INSERT matched 2 rows of shop.t, expected 1"},
		"an answer is missing":          {[]int64{1}, nil, "the target answered 1 of 2 statements"},
		"an answer too many":            {[]int64{1, 1, 1}, nil, "the target answered 3 of 2 statements"},
		"the session's error passes on": {nil, lost, "connection lost"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, r := newRecorder(1 << 20)
			r.matched, r.err = c.matched, c.err
			err := w.run(stepsFor(t, modelTable(0), m, rows))
			if diff := cmp.Diff(c.want, fmt.Sprint(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Inserts share a statement only with those whose images have the same columns; rows are found by what the image shows.
func TestPartialStatements(t *testing.T) {
	m := modelMap()
	partial := func(op change.Op, before, after byte, images ...[]byte) change.Row {
		h := &change.RowsHeader{Table: m, Op: op, PresentBefore: []byte{before}, PresentAfter: []byte{after}}
		if op == change.Insert {
			return change.Row{RowsHeader: h, After: images[0]}
		}
		return change.Row{RowsHeader: h, Before: images[0], After: images[1]}
	}
	id, five := []byte{0, 1, 'a'}, []byte{0, 5, 0, 0, 0}
	rows := slices.Concat(
		rowsOf(m, change.Insert, 0, modelRow{id: "z", v: 1}.image()),
		[]change.Row{partial(change.Insert, 0, 0b1001, []byte{0, 1, 'a', 5, 0, 0, 0}), partial(change.Insert, 0, 0b1001, []byte{0, 1, 'b', 6, 0, 0, 0}),
			partial(change.Insert, 0, 0b0101, []byte{0b10, 1, 'c'}),
			partial(change.Update, 0b0001, 0b1000, id, five), partial(change.Update, 0b0001, 0b0010, id, []byte{1}),
			partial(change.Delete, 0b0001, 0, id, nil)},
		rowsOf(m, change.Delete, 0, modelRow{id: "z", v: 1}.image()),
	)
	w, r := newRecorder(1 << 20)
	if err := w.run(stepsFor(t, modelTable(1), m, rows)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"INSERT INTO `shop`.`t` (`id`,`u`,`w`,`v`) VALUES ('z',NULL,NULL,1)",
		"INSERT INTO `shop`.`t` (`id`,`v`) VALUES ('a',5),('b',6)",
		"INSERT INTO `shop`.`t` (`id`,`w`) VALUES ('c',NULL)",
		"UPDATE `shop`.`t` SET `v`=5 WHERE `id`='a'", "UPDATE `shop`.`t` SET `u`=NULL WHERE `id`='a'",
		"DELETE FROM `shop`.`t` WHERE `id`='a'", "DELETE FROM `shop`.`t` WHERE `id`='z'",
	}
	if diff := cmp.Diff(want, r.statements()); diff != "" {
		t.Error(diff)
	}
	for i, x := range slices.Concat(r.counts...) {
		if n := map[bool]int64{true: 2, false: 1}[i == 1]; x.count != n {
			t.Errorf("%s: %d matched rows expected, want %d", want[i], x.count, n)
		}
	}
}

// TestOrderedRowsToggleTheChecks: foreign_key_checks is on for exactly the rows that need it, and off in the end,
// since the session goes on to write merged rows.
func TestOrderedRowsToggleTheChecks(t *testing.T) {
	m := modelMap()
	keyless := modelTable(0)
	keyless.Identity, keyless.Class = nil, schema.Ordered
	family := modelTable(0)
	family.Name, family.Cascading = "f", true
	fm := modelMap()
	fm.Table = "f"
	img := func(id string, v int32) []byte { return modelRow{id: id, v: v}.image() }
	rows := slices.Concat(
		rowsOf(m, change.Insert, 0, img("a", 1), img("a", 1)),
		rowsOf(fm, change.Insert, 0, img("p", 1)),
		rowsOf(fm, change.Insert, change.FlagNoForeignKeyChecks, img("q", 1)),
		rowsOf(fm, change.Delete, 0, img("p", 1)),
		rowsOf(fm, change.Update, 0, img("q", 1), img("q", 2)),
		rowsOf(fm, change.Update, 0, img("q", 2), img("q", 2)), // Says nothing new.
		rowsOf(m, change.Update, 0, img("a", 1), img("b", 1)),
		rowsOf(m, change.Delete, 0, img("b", 1)),
		rowsOf(fm, change.Delete, 0, img("q", 2)),
	)
	e, err := mergeRows(t.Context(), newTestApplier(bound(t, keyless, m), bound(t, family, fm)), rows)
	if err != nil {
		t.Fatal(err)
	}
	p, err := planEpoch(e, 3, newSpentValues())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.followers) != 0 || p.rows != len(rows) {
		t.Fatalf("%d followers, %d rows: ordered rows travel on the leader", len(p.followers), p.rows)
	}
	w, r := newRecorder(1 << 20)
	if err := w.run(p.leader); err != nil {
		t.Fatal(err)
	}
	const columns = " (`id`,`u`,`w`,`v`) VALUES "
	all := func(id string) string {
		return "`id`='" + id + "'" // The rest depends on how rowimage compares text byte by byte.
	}
	want := []string{
		"INSERT INTO `shop`.`t`" + columns + "('a',NULL,NULL,1),('a',NULL,NULL,1)",
		"SET foreign_key_checks=1", "INSERT INTO `shop`.`f`" + columns + "('p',NULL,NULL,1)",
		"SET foreign_key_checks=0", "INSERT INTO `shop`.`f`" + columns + "('q',NULL,NULL,1)",
		"SET foreign_key_checks=1", "DELETE FROM `shop`.`f` WHERE " + all("p"), "UPDATE `shop`.`f` SET `v`=2 WHERE " + all("q"),
		"SET foreign_key_checks=0", "UPDATE `shop`.`t` SET `id`='b' WHERE …", "DELETE FROM `shop`.`t` WHERE …",
		"SET foreign_key_checks=1", "DELETE FROM `shop`.`f` WHERE " + all("q"),
		"SET foreign_key_checks=0",
	}
	got := r.statements()
	for i, s := range got {
		if before, match, ok := strings.Cut(s, " WHERE "); ok && strings.Contains(before, "`t`") {
			if !strings.HasSuffix(match, " LIMIT 1") {
				t.Errorf("a row of a keyless table, of which there may be several: %s", s)
			}
			got[i] = before + " WHERE …"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, x := range slices.Concat(r.counts...) {
		want := int64(1)
		switch {
		case strings.HasPrefix(got[i], "SET"):
			want = anyCount
		case i == 0:
			want = 2
		}
		if x.count != want {
			t.Errorf("%s: %d matched rows expected, want %d", got[i], x.count, want)
		}
	}
}
