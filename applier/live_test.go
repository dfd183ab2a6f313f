package applier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// live is a real target; the source is played by the test.
type live struct {
	server *testmysql.Server
	target *mysqlconn.Endpoint
	owners checkpoint.Owners
	stream string
}

const columnsSQL = "(id VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NOT NULL, u INT NULL, w INT NULL, v INT NOT NULL"

func newLive(t *testing.T) *live {
	t.Helper()
	s := testmysql.StartT(t, testmysql.TargetOptions())
	if err := s.CreateApplierUser(t.Context(), "applier", "pw", "shop"); err != nil {
		t.Fatal(err)
	}
	client, err := tlsconf.New("target", tlsconf.Config{CA: s.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "CREATE DATABASE shop")
	return &live{server: s, target: &mysqlconn.Endpoint{Leg: "target", Addr: s.Addr, User: "applier", TLS: client,
		Password: func(context.Context, ...mysqlconn.Secret) (mysqlconn.Secret, error) { return "pw", nil }}}
}

// begin starts a stream of its own over fresh tables: t with two secondary unique keys, p without, k without any key.
func (l *live) begin(t *testing.T, stream string) {
	t.Helper()
	l.stream, l.owners = stream, checkpoint.Owners{}
	l.server.Exec(t, "DROP TABLE IF EXISTS shop.t, shop.p, shop.k",
		"CREATE TABLE shop.t "+columnsSQL+", PRIMARY KEY (id), UNIQUE KEY u (u), UNIQUE KEY w (w))",
		"CREATE TABLE shop.p "+columnsSQL+", PRIMARY KEY (id))",
		"CREATE TABLE shop.k "+columnsSQL+")")
}

// observed notes what was committed.
type observed struct {
	silent
	mu      sync.Mutex // Guards commits.
	commits []Progress
}

func (o *observed) Committed(p Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.commits = append(o.commits, p)
}

// sessionOptions are those of the stream's session for definitions.
func sessionOptions() mysqlconn.SessionOptions {
	return mysqlconn.SessionOptions{Metadata: true, Init: mysqlconn.TargetInit(time.Hour, time.Second)}
}

// run claims the stream and applies the transactions. The first run of a stream records position 1.
func (l *live) run(t *testing.T, cfg Config, txns ...*change.Txn) ([]Progress, error) {
	t.Helper()
	return l.runWith(t, cfg, func(in chan<- *change.Txn, _ *Applier) {
		for _, txn := range txns {
			select {
			case in <- txn:
			case <-time.After(10 * time.Second):
				return // The applier has ended.
			}
		}
	})
}

// runWith lets feed play the reader; it returns when the source has nothing more.
func (l *live) runWith(t *testing.T, cfg Config, feed func(in chan<- *change.Txn, a *Applier)) ([]Progress, error) {
	t.Helper()
	ctx := t.Context()
	meta, err := l.target.Open(ctx, sessionOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = meta.Close() }()
	log := slog.New(slog.DiscardHandler)
	cfg.Stream, cfg.Target, cfg.Logger = l.stream, l.target, log
	if cfg.Filter == nil {
		if cfg.Filter, err = schema.NewFilter(schema.FilterConfig{Include: []string{"shop.*"}}); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, 0 }
	cfg.AtEnd = func(change.Position) bool { return false }
	cfg.End = func(reason error) { t.Errorf("the run is ended: %v", reason) }
	seen := &observed{}
	cfg.Observer = seen
	claim, st, err := checkpoint.Take(ctx, meta, checkpoint.Options{Stream: l.stream, Sessions: cfg.Sessions, Logger: log, Hash: strings.Repeat("0", 64)}, &l.owners)
	if err != nil {
		return nil, err
	}
	sessions := NewSessions(l.target, cfg.Sessions)
	go sessions.Begin(ctx)
	a, err := Open(ctx, cfg, sessions, meta, claim, st)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if st.Fresh {
		if err := a.Record(ctx, change.Checkpoint{Pos: change.Position{File: "binlog.000001", Pos: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	in := make(chan *change.Txn)
	batches := make(chan []*change.Txn)
	go func() {
		defer close(batches)
		for t := range in {
			batches <- []*change.Txn{t}
		}
	}()
	fed := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(fed)
		defer close(in)
		feed(in, a)
	}()
	go func() { // A failed run takes nothing more from the reader.
		<-ended
		for range batches {
		}
	}()
	err = a.Run(ctx, batches)
	close(ended)
	<-fed
	return seen.commits, err
}

// position is the record's, from the greater of the leaders' rows.
func (l *live) position(t *testing.T) string {
	t.Helper()
	return l.server.QueryT(t, "SELECT record->>'$.checkpoint.pos.pos' FROM binseal.progress WHERE stream=? AND session<2 ORDER BY epoch DESC LIMIT 1", l.stream)[0][0]
}

func (l *live) rows(t *testing.T, table string) []string {
	t.Helper()
	var all []string
	for _, r := range l.server.QueryT(t, "SELECT id, COALESCE(u,0), COALESCE(w,0), v FROM shop."+table+" ORDER BY id, u, w, v") {
		all = append(all, strings.Join(r, " "))
	}
	return all
}

func mapOf(table string) *change.TableMap {
	m := modelMap()
	m.Table = table
	return m
}

func image(id string, v int32) []byte { return modelRow{id: id, v: v}.image() }

// history is what a source did to the three tables, and where it ended.
type history struct {
	txns []*change.Txn
	want map[string]*table
}

func drawHistory(t *rapid.T) history {
	h := history{want: map[string]*table{"t": newTable(2), "p": newTable(0), "k": newTable(0)}}
	maps := map[string]*change.TableMap{}
	for name := range h.want {
		maps[name] = mapOf(name)
	}
	for n := range 60 {
		var rows []change.Row
		for range rapid.IntRange(0, 4).Draw(t, "statements") {
			name := rapid.SampledFrom([]string{"t", "t", "t", "p", "p", "k"}).Draw(t, "table")
			rows = append(rows, drawChanges(t, h.want[name], maps[name], rapid.IntRange(1, 6).Draw(t, "changes"))...)
		}
		h.txns = append(h.txns, txnAt(uint64(n)+2, rows...))
	}
	return h
}

// TestLive runs on one server, a stream per case.
func TestLive(t *testing.T) {
	l := newLive(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *live)
	}{
		{"random changes, strict", func(t *testing.T, l *live) { randomChanges(t, l, Config{Mode: Strict, Sessions: 1}) }},
		{"random changes, split over three", func(t *testing.T, l *live) { randomChanges(t, l, Config{Mode: Split, Sessions: 3}) }},
		{"random changes, one transaction an epoch", func(t *testing.T, l *live) {
			randomChanges(t, l, Config{Mode: Split, Sessions: 2, Careful: Careful{Until: change.Position{File: "binlog.000009"}, Single: true}})
		}},
		{"random changes, loaded, listed and alike from the first row", func(t *testing.T, l *live) {
			lowered(t)
			randomChanges(t, l, Config{Mode: Split, Sessions: 2})
			if n := l.server.QueryT(t, "SHOW GLOBAL STATUS LIKE 'Com_load'")[0][1]; n == "0" {
				t.Error("nothing was loaded")
			}
		}},
		{"a loaded row that is there already", func(t *testing.T, l *live) {
			lowered(t)
			duplicate(t, l)
		}},
		{"a loaded value that the target refuses is not in the error", loadedRefused},
		{"the target stops to take LOAD DATA", loadSwitchedOff},
		{"a fault behind whole transactions", faultBehindWholeOnes},
		{"an oversized transaction without its end, and then with it", oversized},
		{"a row that is missing on the target", divergence},
		{"a row that is there already", duplicate},
		{"a claim that was lost between two epochs", lostClaim},
		{"a half-done epoch", halfDone},
		{"a value that the target refuses is not in the error", refusedValue},
		{"idle beats keep the record fresh", beats},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.begin(t, strings.ReplaceAll(c.name, " ", "_"))
			c.test(t, l)
		})
	}
}

func randomChanges(t *testing.T, l *live, cfg Config) {
	generator := rapid.Custom(drawHistory)
	split := 0
	for seed := range 6 {
		h := generator.Example(seed)
		l.begin(t, fmt.Sprintf("random_%s_%d_%d", cfg.Mode, cfg.Sessions, seed))
		// Two runs: the second goes on from the record.
		half := len(h.txns) / 2
		for _, txns := range [][]*change.Txn{h.txns[:half], h.txns[half:]} {
			commits, err := l.run(t, cfg, txns...)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, c := range commits {
				if c.Split {
					split++
				}
			}
		}
		for name, table := range h.want {
			var want []string
			for _, r := range table.rows {
				want = append(want, fmt.Sprint(r.id, " ", r.u, " ", r.w, " ", r.v))
			}
			if diff := cmp.Diff(want, l.rows(t, name), cmp.Transformer("sort", sortedSet)); diff != "" {
				t.Errorf("seed %d, table %s:\n%s", seed, name, diff)
			}
		}
		if got, want := l.position(t), fmt.Sprint(len(h.txns)+1); got != want {
			t.Errorf("seed %d: recorded %s, want %s", seed, got, want)
		}
	}
	if single := cfg.Careful.Single; (split > 0) != (cfg.Mode == Split && !single) {
		t.Errorf("%d epochs were split", split)
	}
}

func sortedSet(rows []string) map[string]int {
	set := map[string]int{}
	for _, r := range rows {
		set[r]++
	}
	return set
}

func faultBehindWholeOnes(t *testing.T, l *live) {
	m := mapOf("p")
	partial := txnAt(4, rowsOf(m, change.Insert, 0, image("c", 1))...)
	h := *partial.Rows[0].RowsHeader
	h.Full, h.Op, h.PresentBefore, h.PresentAfter = false, change.Delete, []byte{0b0010}, nil // Without its key.
	partial.Rows[0] = change.Row{RowsHeader: &h, Before: []byte{0, 1, 0, 0, 0}}
	_, err := l.run(t, Config{Mode: Strict, Sessions: 1},
		txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...), txnAt(3, rowsOf(m, change.Insert, 0, image("b", 1))...), partial,
		txnAt(5, rowsOf(m, change.Insert, 0, image("d", 1))...))
	if f := change.FaultOf(err); f == nil || f.Code != "BS-PARTIAL-IMAGE" {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a 0 0 1", "b 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
	if got := l.position(t); got != "3" {
		t.Errorf("recorded %s: the operator looks for the fault at 3", got)
	}
}

func oversized(t *testing.T, l *live) {
	m := mapOf("t")
	var parts []*change.Txn
	rows := map[string]int32{}
	for i := range 6 {
		id := fmt.Sprint("r", i)
		part := txnAt(uint64(10+i), rowsOf(m, change.Insert, 0, modelRow{id, int32(i) + 1, 0, 1}.image())...)
		if i > 0 { // The unique value moves on from part to part.
			part.Rows = append(rowsOf(m, change.Update, 0, modelRow{fmt.Sprint("r", i-1), int32(i), 0, 1}.image(), modelRow{fmt.Sprint("r", i-1), 0, 0, 1}.image()), part.Rows...)
		}
		part.First, part.Last = i == 0, i == 5
		parts, rows[id] = append(parts, part), 0
	}
	cfg := Config{Mode: Auto, Sessions: 2}
	before := txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...)
	if _, err := l.run(t, cfg, append([]*change.Txn{before}, parts[:5]...)...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a 0 0 1"}, l.rows(t, "t")); diff != "" {
		t.Errorf("an oversized transaction without its end has left something:\n%s", diff)
	}
	if got := l.position(t); got != "2" {
		t.Errorf("recorded %s", got)
	}
	after := txnAt(20, rowsOf(m, change.Delete, 0, image("a", 1))...)
	commits, err := l.run(t, cfg, append(parts, after)...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"r0 0 0 1", "r1 0 0 1", "r2 0 0 1", "r3 0 0 1", "r4 0 0 1", "r5 6 0 1"}, l.rows(t, "t")); diff != "" {
		t.Error(diff)
	}
	if got := l.position(t); got != "20" {
		t.Errorf("recorded %s", got)
	}
	if len(commits) != 2 || commits[0].Transactions != 1 || commits[0].Changes != 11 || commits[0].Checkpoint.Pos.Pos != 15 {
		t.Errorf("%+v", commits)
	}
}

// wantDivergence: a run over several transactions asks for care, and the careful one names the exact place.
func wantDivergence(t *testing.T, l *live, where string, txns ...*change.Txn) {
	t.Helper()
	cfg := Config{Mode: Split, Sessions: 2}
	for range 5 {
		_, err := l.run(t, cfg, txns...)
		if again, ok := errors.AsType[*Again](err); ok {
			cfg.Careful = again.Careful
			var done uint64
			if _, err := fmt.Sscan(l.position(t), &done); err != nil {
				t.Fatal(err)
			}
			for len(txns) > 0 && txns[0].End.Pos <= done { // As the reader would.
				txns = txns[1:]
			}
			continue
		}
		f := change.FaultOf(err)
		if f == nil || f.Code != "BS-DIVERGED" || !change.Halts(err) {
			t.Fatalf("got %v", err)
		}
		if !strings.HasPrefix(f.Where, where) {
			t.Errorf("where: %q, want %q", f.Where, where)
		}
		if strings.Contains(f.Error()+f.Next, "secret") {
			t.Errorf("a row value is in the error: %v", f)
		}
		return
	}
	t.Fatal("care is asked for again and again")
}

func divergence(t *testing.T, l *live) {
	m := mapOf("p")
	l.server.Exec(t, "INSERT INTO shop.p VALUES ('a',NULL,NULL,1)")
	wantDivergence(t, l, "binlog.000001:2: shop.p",
		txnAt(2, rowsOf(m, change.Update, 0, image("a", 1), image("a", 2))...),
		txnAt(3, rowsOf(m, change.Update, 0, image("secret", 1), image("secret", 2))...),
		txnAt(4, rowsOf(m, change.Update, 0, image("a", 2), image("a", 3))...))
	if diff := cmp.Diff([]string{"a 0 0 2"}, l.rows(t, "p")); diff != "" {
		t.Errorf("up to the place and not beyond:\n%s", diff)
	}
	if got := l.position(t); got != "2" {
		t.Errorf("recorded %s", got)
	}
}

func duplicate(t *testing.T, l *live) {
	m := mapOf("t")
	l.server.Exec(t, "INSERT INTO shop.t VALUES ('secret',7,NULL,1)")
	wantDivergence(t, l, "binlog.000001:2",
		txnAt(2, rowsOf(m, change.Insert, 0, modelRow{"a", 6, 0, 1}.image())...),
		txnAt(3, rowsOf(m, change.Insert, 0, modelRow{"secret 2", 7, 0, 1}.image())...))
	if diff := cmp.Diff([]string{"a 6 0 1", "secret 7 0 1"}, l.rows(t, "t")); diff != "" {
		t.Error(diff)
	}
}

func lostClaim(t *testing.T, l *live) {
	m := mapOf("p")
	_, err := l.runWith(t, Config{Mode: Split, Sessions: 2}, func(in chan<- *change.Txn, _ *Applier) {
		in <- txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...)
		for l.position(t) != "2" {
			time.Sleep(5 * time.Millisecond)
		}
		// Another daemon's claim, without its KILL: the fence alone has to hold.
		l.server.Exec(t, "UPDATE binseal.progress SET owner=REPEAT('f',32) WHERE stream='"+l.stream+"'")
		in <- txnAt(3, rowsOf(m, change.Insert, 0, image("b", 1))...)
	})
	if f := change.FaultOf(err); f == nil || f.Code != "BS-FENCED" {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Errorf("a daemon without a claim has committed (invariant 4):\n%s", diff)
	}
	_, err = l.run(t, Config{Mode: Strict, Sessions: 2})
	if f := change.FaultOf(err); f == nil || f.Code != "BS-FENCED" {
		t.Errorf("and it claims again: %v", err)
	}
}

// halfDone: a follower of epoch 3 has committed and its leader has not. The recovery must write what is missing and
// must not stumble over what is there.
func halfDone(t *testing.T, l *live) {
	m, k := mapOf("p"), mapOf("k")
	cfg := Config{Mode: Split, Sessions: 2}
	if _, err := l.run(t, cfg, txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1), image("b", 1), image("c", 1))...)); err != nil {
		t.Fatal(err)
	}
	// Epoch 3 is transactions 3 and 4: a changes, b goes, d comes, e comes and goes, a keyless row is written twice.
	third := append(rowsOf(m, change.Update, 0, image("a", 1), image("a", 2)), rowsOf(k, change.Insert, 0, image("x", 1))...)
	third = append(third, rowsOf(m, change.Insert, 0, image("e", 1))...)
	fourth := append(rowsOf(m, change.Delete, 0, image("b", 1)), rowsOf(m, change.Insert, 0, image("d", 1))...)
	fourth = append(append(fourth, rowsOf(m, change.Delete, 0, image("e", 1))...), rowsOf(k, change.Insert, 0, image("x", 1))...)
	txns := []*change.Txn{txnAt(3, third...), txnAt(4, fourth...), txnAt(5, rowsOf(m, change.Update, 0, image("c", 1), image("c", 9))...)}
	l.server.Exec(t, "UPDATE shop.p SET v=2 WHERE id='a'", "DELETE FROM shop.p WHERE id='b'", // The follower's share.
		`UPDATE binseal.progress SET epoch=3, record='{"end":{"pos":{"file":"binlog.000001","pos":4}}}' WHERE session=2 AND stream='`+l.stream+"'")
	if _, err := l.run(t, cfg, txns[:1]...); err != nil {
		t.Fatal(err)
	}
	if got := l.position(t); got != "2" {
		t.Fatalf("recorded %s before the end was read", got)
	}
	if _, err := l.run(t, cfg, txns...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a 0 0 2", "c 0 0 9", "d 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x 0 0 1", "x 0 0 1"}, l.rows(t, "k")); diff != "" {
		t.Errorf("a table without a key:\n%s", diff)
	}
	if got := l.position(t); got != "5" {
		t.Errorf("recorded %s", got)
	}
	if _, err := l.run(t, cfg, txnAt(6, rowsOf(m, change.Delete, 0, image("c", 9))...)); err != nil {
		t.Errorf("the split epoch after the recovery: %v", err)
	}
}

// lowered makes a few rows travel as many do.
func lowered(t *testing.T) {
	load, alike, ranged := loadFrom, alikeFrom, rangeFrom
	loadFrom, alikeFrom, rangeFrom = 1, 2, 2
	t.Cleanup(func() { loadFrom, alikeFrom, rangeFrom = load, alike, ranged })
}

// again runs transactions until they have gone through, or a person is asked for, and tells how often care was asked for.
func again(t *testing.T, l *live, cfg Config, txns ...*change.Txn) (careful int, err error) {
	t.Helper()
	for ; careful < 5; careful++ {
		_, err = l.run(t, cfg, txns...)
		a, ok := errors.AsType[*Again](err)
		if !ok {
			return careful, err
		}
		cfg.Careful = a.Careful
	}
	t.Fatal("care is asked for again and again")
	return 0, nil
}

// loadedRefused: what is lenient when it is loaded is an error of the INSERT that follows.
func loadedRefused(t *testing.T, l *live) {
	lowered(t)
	l.server.Exec(t, "ALTER TABLE shop.p ADD CHECK (v < 100)")
	careful, err := again(t, l, Config{Mode: Strict, Sessions: 1}, txnAt(2, rowsOf(mapOf("p"), change.Insert, 0, image("a", 5), image("secret", 4711))...))
	f := change.FaultOf(err)
	if f == nil || f.Code != "BS-REFUSED" || f.Class != change.ClassPerson || careful != 1 {
		t.Fatalf("got %v, care was asked for %d times", err, careful)
	}
	if text := err.Error() + f.Next; strings.Contains(text, "secret") || strings.Contains(text, "4711") {
		t.Errorf("a row value is in the error: %s", text)
	}
	if rows := l.rows(t, "p"); len(rows) > 0 {
		t.Errorf("rows of it have stayed: %v", rows)
	}
}

// loadSwitchedOff: an operator sets local_infile=OFF while a run loads.
func loadSwitchedOff(t *testing.T, l *live) {
	lowered(t)
	m := mapOf("p")
	t.Cleanup(func() { l.server.Exec(t, "SET GLOBAL local_infile=ON") })
	var last *change.Txn
	_, err := l.runWith(t, Config{Mode: Strict, Sessions: 1}, func(in chan<- *change.Txn, _ *Applier) {
		in <- txnAt(2, rowsOf(m, change.Insert, 0, image("a", 1))...)
		for l.position(t) != "2" {
			time.Sleep(5 * time.Millisecond)
		}
		l.server.Exec(t, "SET GLOBAL local_infile=OFF")
		last = txnAt(3, rowsOf(m, change.Insert, 0, image("b", 1))...)
		in <- last
	})
	asked, ok := errors.AsType[*Again](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if _, err := l.run(t, Config{Mode: Strict, Sessions: 1, Careful: asked.Careful}, last, txnAt(4, rowsOf(m, change.Insert, 0, image("c", 1))...)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a 0 0 1", "b 0 0 1", "c 0 0 1"}, l.rows(t, "p")); diff != "" {
		t.Error(diff)
	}
}

func refusedValue(t *testing.T, l *live) {
	l.server.Exec(t, "ALTER TABLE shop.p ADD CHECK (v < 100)")
	_, err := l.run(t, Config{Mode: Strict, Sessions: 1}, txnAt(2, rowsOf(mapOf("p"), change.Insert, 0, image("secret", 4711))...))
	f := change.FaultOf(err)
	if f == nil || f.Code != "BS-REFUSED" || f.Class != change.ClassPerson {
		t.Fatalf("got %v", err)
	}
	if text := err.Error() + f.Next; strings.Contains(text, "secret") || strings.Contains(text, "4711") {
		t.Errorf("a row value is in the error: %s", text)
	}
}

func beats(t *testing.T, l *live) {
	beat := make(chan struct{})
	epoch := func() string {
		return l.server.QueryT(t, "SELECT MAX(epoch) FROM binseal.progress WHERE stream=?", l.stream)[0][0]
	}
	_, err := l.runWith(t, Config{Mode: Strict, Sessions: 1, Beat: beat}, func(in chan<- *change.Txn, _ *Applier) {
		for range 3 {
			beat <- struct{}{}
		}
		in <- txnAt(2, rowsOf(mapOf("p"), change.Insert, 0, image("a", 1))...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := epoch(); got != "5" || l.position(t) != "2" { // The first record, three beats, one transaction.
		t.Errorf("epoch %s at %s", got, l.position(t))
	}
}
