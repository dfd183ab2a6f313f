package replicator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

func TestMain(m *testing.M) {
	// vitess, through schema, starts glog, whose flusher never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

const (
	replUser     = "repl"
	replPassword = "repl-Secret-1"
)

// source starts a source server with a replication account and an empty schema "shop".
func source(t *testing.T, o testmysql.Options) *testmysql.Server {
	t.Helper()
	s := testmysql.StartT(t, o)
	if err := s.CreateReplicationUser(t.Context(), replUser, replPassword); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "CREATE DATABASE shop")
	return s
}

// endpoint reaches the server, at addr when it is given.
func endpoint(t *testing.T, s *testmysql.Server, addr string) *mysqlconn.Endpoint {
	t.Helper()
	client, err := tlsconf.New("source", tlsconf.Config{CA: s.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	if addr == "" {
		addr = s.Addr
	}
	return &mysqlconn.Endpoint{Leg: "source", Addr: addr, User: replUser, TLS: client,
		Password: func(context.Context, ...mysqlconn.Secret) (mysqlconn.Secret, error) { return replPassword, nil }}
}

// session opens a plain session.
func session(t *testing.T, s *testmysql.Server) *mysqlconn.Session {
	t.Helper()
	c, err := endpoint(t, s, "").Open(t.Context(), mysqlconn.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// here is a checkpoint at the source's current end.
func here(t *testing.T, s *testmysql.Server, byGTID bool) change.Checkpoint {
	t.Helper()
	info, err := Identify(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return change.Checkpoint{Pos: info.End, GTIDs: info.Executed.String(), ByGTID: byGTID, Source: info.Source}
}

func reader(t *testing.T, s *testmysql.Server, edit func(*Config)) *Reader {
	t.Helper()
	filter, err := schema.NewFilter(schema.FilterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Endpoint: endpoint(t, s, ""), ServerID: 4711, Filter: filter, Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&c)
	}
	return New(c)
}

var errEnough = errors.New("enough")

// collect reads until the log's end at this moment is covered, and returns what was yielded.
func collect(t *testing.T, s *testmysql.Server, r *Reader, from change.Checkpoint) ([]*change.Txn, error) {
	t.Helper()
	end, err := End(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []*change.Txn
	if from, err = r.Admit(ctx, from); err != nil {
		return nil, err
	}
	have, err := change.ParseGTIDSet(from.GTIDs)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(ctx, from, each(func(txn *change.Txn) error {
		got = append(got, txn)
		if !txn.Last {
			return nil
		}
		have.Add(txn.GTID)
		if from.ByGTID && have.Contains(end.GTIDs) || txn.End.Compare(end.Pos) >= 0 { // MariaDB writes events of its own behind.
			return errEnough
		}
		return nil
	}))
	if errors.Is(err, errEnough) {
		err = nil
	}
	return got, err
}

// describe renders a transaction for comparison: its statements without anything that differs between runs.
func describe(txn *change.Txn) string {
	if txn.CommitTime.IsZero() {
		return "new file"
	}
	if txn.DDL != nil {
		return "DDL " + txn.DDL.Database + ": " + txn.DDL.SQL
	}
	var parts []string
	for _, row := range txn.Rows {
		part := row.Op.String() + " " + row.Table.Schema + "." + row.Table.Table
		if n := len(parts); n > 0 && strings.HasPrefix(parts[n-1], part+" ×") {
			var count int
			fmt.Sscanf(strings.TrimPrefix(parts[n-1], part+" ×"), "%d", &count)
			parts[n-1] = fmt.Sprintf("%s ×%d", part, count+1)
			continue
		}
		parts = append(parts, part+" ×1")
	}
	text := strings.Join(parts, ", ")
	if !txn.Prepared.IsZero() {
		text += " decides XA"
	}
	if n := txn.Undecided.Count; n > 0 {
		text += fmt.Sprintf(" (undecided: %d)", n)
	}
	return text
}

// script is a history with what the assembler must understand.
var script = []string{
	"CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(20))",
	"CREATE TABLE shop.b (id INT PRIMARY KEY, j JSON)",
	"INSERT INTO shop.a VALUES (1,'x'),(2,'y')",
	"BEGIN; INSERT INTO shop.a VALUES (3,'z'); INSERT INTO shop.b VALUES (1,'{}'); UPDATE shop.a SET v='q' WHERE id<3; DELETE FROM shop.b; COMMIT",
	"BEGIN; INSERT INTO shop.a VALUES (4,'s'); SAVEPOINT Sp; INSERT INTO shop.a VALUES (5,'t'); ROLLBACK TO sp; INSERT INTO shop.a VALUES (6,'u'); COMMIT",
	"FLUSH BINARY LOGS",
	"ALTER TABLE shop.a ADD COLUMN w INT",
	"SET SESSION binlog_transaction_compression=ON; BEGIN; INSERT INTO shop.a VALUES (7,'c',1); UPDATE shop.a SET w=7; COMMIT; SET SESSION binlog_transaction_compression=OFF",
	"UPDATE shop.a, shop.b SET shop.a.w=8 WHERE shop.a.id<3",
	"FLUSH BINARY LOGS",
	"BEGIN; INSERT INTO shop.b VALUES (9,'[]'); INSERT INTO shop.a VALUES (9,'n',9); ROLLBACK",
	"DELETE FROM shop.a",
	"TRUNCATE TABLE shop.a",
	"XA START 'p','q',5; INSERT INTO shop.a VALUES (20,'p',1); SAVEPOINT s; INSERT INTO shop.a VALUES (21,'p',1); ROLLBACK TO s; XA END 'p','q',5; XA PREPARE 'p','q',5",
	"INSERT INTO shop.a VALUES (2,'p',1)",
	"SET SESSION binlog_transaction_compression=ON; XA START 'r'; INSERT INTO shop.b VALUES (23,'{}'),(24,'[]'); XA END 'r'; XA PREPARE 'r'",
	"FLUSH BINARY LOGS",
	"XA START 'o'; INSERT INTO shop.a VALUES (1,'o',1); XA END 'o'; XA COMMIT 'o' ONE PHASE",
	"XA COMMIT 'p','q',5",
	"XA ROLLBACK 'r'",
	"DELETE FROM shop.a",
}

var scriptWant = []string{
	"DDL : " + script[0],
	"DDL : " + script[1],
	"INSERT shop.a ×2",
	"INSERT shop.a ×1, INSERT shop.b ×1, UPDATE shop.a ×2, DELETE shop.b ×1",
	"INSERT shop.a ×2",
	"DDL : " + script[6],
	"INSERT shop.a ×1, UPDATE shop.a ×6",
	"DELETE shop.a ×6",
	"DDL : " + script[12],
	" (undecided: 1)",
	"INSERT shop.a ×1 (undecided: 1)",
	" (undecided: 2)",
	"INSERT shop.a ×1 (undecided: 2)",
	"INSERT shop.a ×1 decides XA (undecided: 1)",
	" decides XA",
	"DELETE shop.a ×3",
}

// scriptByPosition: read by position, the begin of each file is told too.
func scriptByPosition() []string {
	all := slices.Clone(scriptWant)
	for _, at := range []int{5, 8, 14} {
		all = slices.Insert(all, at, "new file")
	}
	return all
}

// TestEveryCheckpointResumesExactly runs a history and restarts behind each of its transactions, by GTID and by
// position: each restart must yield exactly the rest.
func TestEveryCheckpointResumesExactly(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	start := here(t, s, true)
	s.Exec(t, script...)
	for _, byGTID := range []bool{true, false} {
		t.Run(fmt.Sprintf("by_gtid=%v", byGTID), func(t *testing.T) {
			from := start
			from.ByGTID = byGTID
			all, err := collect(t, s, reader(t, s, nil), from)
			if err != nil {
				t.Fatal(err)
			}
			want := scriptWant
			if !byGTID {
				want = scriptByPosition()
			}
			wantTexts(t, want, describeAll(all))
			set, err := change.ParseGTIDSet(from.GTIDs)
			if err != nil {
				t.Fatal(err)
			}
			last := from.Pos
			for i, txn := range all {
				newFile := txn.CommitTime.IsZero()
				prepare := describe(txn)[0] == ' ' && txn.Prepared.IsZero()
				if !newFile && (!txn.Whole() || txn.GTID.IsZero() != prepare || txn.Basis != change.BasisImmediateCommit || time.Since(txn.CommitTime).Abs() > time.Hour) {
					t.Errorf("transaction %d: %+v", i, txn)
				}
				if txn.Start.Compare(last) < 0 || !newFile && txn.End.Compare(txn.Start) <= 0 || txn.LogBytes != txn.End.Pos-txn.Start.Pos {
					t.Errorf("transaction %d: from %s to %s (%d bytes) behind %s", i, txn.Start, txn.End, txn.LogBytes, last)
				}
				last = txn.End
				txn.AddTo(&set)
				if i == len(all)-1 {
					break
				}
				next := change.Checkpoint{Pos: txn.End, GTIDs: set.String(), ByGTID: byGTID, Source: from.Source, Undecided: txn.Undecided}
				rest, err := collect(t, s, reader(t, s, nil), next)
				if err != nil {
					t.Fatalf("restart behind transaction %d: %v", i, err)
				}
				wantTexts(t, describeAll(all[i+1:]), describeAll(rest))
			}
		})
	}
}

func wantTexts(t *testing.T, want, got []string) {
	t.Helper()
	if w, g := strings.Join(want, "\n"), strings.Join(got, "\n"); w != g {
		t.Errorf("transactions differ\nwant:\n%s\ngot:\n%s", w, g)
	}
}

// TestLargeTransactionComesInParts reads a transaction above the bound on a part, plain and compressed.
func TestLargeTransactionComesInParts(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.big (id INT PRIMARY KEY AUTO_INCREMENT, v VARBINARY(2000))")
	const rows = 20000
	fill := fmt.Sprintf("INSERT INTO shop.big (v) WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i+1 FROM n WHERE i<%d) SELECT RANDOM_BYTES(200) FROM n", rows)
	for _, compression := range []string{"OFF", "ON"} {
		t.Run("compression "+compression, func(t *testing.T) {
			from := here(t, s, true)
			s.Exec(t, "SET SESSION cte_max_recursion_depth=1000000; SET SESSION binlog_transaction_compression="+compression+"; "+fill+"; SET SESSION binlog_transaction_compression=OFF")
			const bound = 256 << 10
			parts, err := collect(t, s, reader(t, s, func(c *Config) { c.MaxPartBytes = bound }), from)
			if err != nil {
				t.Fatal(err)
			}
			if len(parts) < 10 || !parts[0].First || !parts[len(parts)-1].Last {
				t.Fatalf("%d parts", len(parts))
			}
			n, logBytes := 0, uint64(0)
			for i, p := range parts {
				if p.First != (i == 0) || p.Last != (i == len(parts)-1) || p.GTID != parts[0].GTID || p.Bytes > 2*bound {
					t.Errorf("part %d: first %v last %v gtid %s bytes %d", i, p.First, p.Last, p.GTID, p.Bytes)
				}
				n += len(p.Rows)
				logBytes += p.LogBytes
			}
			if last := parts[len(parts)-1]; n != rows || logBytes != last.End.Pos-last.Start.Pos {
				t.Errorf("%d rows, %d bytes of log", n, logBytes)
			}
		})
	}
}

// TestSourceRefusals ends runs that cannot go on, each with its own code.
func TestSourceRefusals(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(20))")
	start := here(t, s, true)
	filePos := start
	filePos.ByGTID = false
	edit := func(c change.Checkpoint, f func(*change.Checkpoint)) change.Checkpoint { f(&c); return c }
	tests := map[string]struct {
		statements []string
		from       change.Checkpoint
		code       string
	}{
		"another server's checkpoint": {
			from: edit(start, func(c *change.Checkpoint) { c.Source.ServerUUID = "11111111-2222-3333-4444-555555555555" }), code: "BS-SOURCE-CHANGED"},
		"another server id": {
			from: edit(start, func(c *change.Checkpoint) { c.Source.ServerID = 99 }), code: "BS-SOURCE-CHANGED"},
		"a checkpoint with transactions that the source does not have": {
			from: edit(start, func(c *change.Checkpoint) { c.GTIDs += ",11111111-2222-3333-4444-555555555555:1-7" }), code: "BS-SOURCE-BEHIND"},
		"a position behind the end of the file": {
			from: edit(filePos, func(c *change.Checkpoint) { c.Pos.Pos += 1 << 30 }), code: "BS-SOURCE-BEHIND"},
		"a file that does not exist yet": {
			from: edit(filePos, func(c *change.Checkpoint) { c.Pos.File = "binlog.009999" }), code: "BS-SOURCE-BEHIND"},
		"statement-format DML":                       {statements: []string{"SET SESSION binlog_format=STATEMENT; INSERT INTO shop.a VALUES (1,'x'); SET SESSION binlog_format=ROW"}, from: start, code: "BS-DML-STATEMENT"},
		"an XA transaction that was prepared before": {statements: []string{"XA COMMIT 'early'"}, from: start, code: "BS-XA-UNKNOWN"},
		"a row above the bound":                      {statements: []string{"CREATE TABLE shop.l (b LONGBLOB)", "INSERT INTO shop.l VALUES (REPEAT('x', 3000000))"}, from: start, code: "BS-TOO-LARGE"},
		"a compressed row above it": {statements: []string{"CREATE TABLE shop.m (b LONGBLOB)",
			"SET SESSION binlog_transaction_compression=ON; INSERT INTO shop.m VALUES (REPEAT('x', 3000000)); SET SESSION binlog_transaction_compression=OFF"}, from: start, code: "BS-TOO-LARGE"},
		"an event in the middle": {statements: []string{"INSERT INTO shop.a VALUES (50,'x')"}, from: edit(filePos, func(c *change.Checkpoint) { c.Pos.Pos -= 3 }), code: "BS-POSITION-INVALID"},
	}
	s.Exec(t, "CREATE TABLE shop.early (id INT)", "XA START 'early'; INSERT INTO shop.early VALUES (1); XA END 'early'; XA PREPARE 'early'")
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			from := tc.from
			if len(tc.statements) > 0 && tc.from.ByGTID {
				from = here(t, s, true)
			}
			s.Exec(t, tc.statements...)
			got, err := collect(t, s, reader(t, s, func(c *Config) { c.MaxRowBytes = 1 << 20 }), from)
			f := change.FaultOf(err)
			if f == nil || f.Code != tc.code || f.Class != change.ClassPerson || f.Where == "" || f.Next == "" {
				t.Fatalf("want %s with its place, got %v after %q", tc.code, err, describeAll(got))
			}
			t.Logf("error: %v", err)
		})
	}
}

// TestPurgedLogHalts names the transactions that are missing.
func TestPurgedLogHalts(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	start := here(t, s, true)
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)", "FLUSH BINARY LOGS",
		"INSERT INTO shop.a VALUES (2)", "FLUSH BINARY LOGS")
	files, err := LogSizes(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1].Name
	s.Exec(t, "PURGE BINARY LOGS TO '"+last+"'")
	_, err = collect(t, s, reader(t, s, nil), start)
	if f := change.FaultOf(err); f == nil || f.Code != "BS-BINLOG-PURGED" || !strings.Contains(f.What, "3 transactions") {
		t.Errorf("by GTID: %v", err)
	}
	start.ByGTID = false
	_, err = collect(t, s, reader(t, s, nil), start)
	if f := change.FaultOf(err); f == nil || f.Code != "BS-BINLOG-PURGED" {
		t.Errorf("by position: %v", err)
	}
}

// TestFileSizesAreInPositions holds LogSizes against the positions of an encrypted log: an old file's size would
// otherwise count the encryption header.
func TestFileSizesAreInPositions(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	start := here(t, s, false)
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)")
	before := here(t, s, false)
	s.Exec(t, "FLUSH BINARY LOGS", "INSERT INTO shop.a VALUES (2)")
	files, err := LogSizes(t.Context(), session(t, s))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]LogFile{}
	for _, f := range files {
		sizes[f.Name] = f
	}
	// FLUSH ends the file with a ROTATE event: header 19, position 8, name, checksum 4.
	rotate := uint64(19 + 8 + len(start.Pos.File) + 4)
	if f := sizes[before.Pos.File]; !f.Encrypted || f.Size != before.Pos.Pos+rotate {
		t.Errorf("old file: %+v, want size %d", f, before.Pos.Pos+rotate)
	}
	end := here(t, s, false)
	if f := sizes[end.Pos.File]; f.Size != end.Pos.Pos {
		t.Errorf("running file: %+v, want size %d", f, end.Pos.Pos)
	}
}

// running starts a reader and returns a way to wait for what it yields and for its end.
type running struct {
	txns chan *change.Txn
	done chan error
	stop context.CancelFunc
}

func start(t *testing.T, r *Reader, from change.Checkpoint) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	run := &running{txns: make(chan *change.Txn, 1000), done: make(chan error, 1), stop: cancel}
	var wg sync.WaitGroup
	wg.Go(func() {
		run.done <- r.Run(ctx, from, each(func(txn *change.Txn) error { run.txns <- txn; return nil }))
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return run
}

func (run *running) next(t *testing.T) *change.Txn {
	t.Helper()
	select {
	case txn := <-run.txns:
		return txn
	case err := <-run.done:
		t.Fatalf("the run ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("no transaction")
	}
	return nil
}

func (run *running) ended(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-run.done:
		return err
	case <-time.After(within):
		t.Fatalf("the run goes on after %s", within)
	}
	return nil
}

// TestDuplicateServerIDHalts: a second daemon with the same server id takes the stream; the first must not come back
// and take it in turn, for ever.
func TestDuplicateServerIDHalts(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	from := here(t, s, true)
	first := start(t, reader(t, s, nil), from)
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)")
	first.next(t)
	second := start(t, reader(t, s, nil), from)
	second.next(t)
	err := first.ended(t, 10*time.Second)
	if f := change.FaultOf(err); f == nil || f.Code != "BS-SERVER-ID-CLASH" || f.Class != change.ClassPerson {
		t.Fatalf("first reader: %v", err)
	}
	s.Exec(t, "INSERT INTO shop.a VALUES (1)")
	second.next(t)
}

// TestDeadLinksAreNoticed covers the ways a source goes away; each must end the run in time with a retryable error.
func TestDeadLinksAreNoticed(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY AUTO_INCREMENT)")
	const heartbeat = time.Second
	tests := []struct {
		name   string
		harm   func(*faultproxy.Proxy)
		within time.Duration
	}{
		{"a half-open link", func(p *faultproxy.Proxy) { p.HalfOpen() }, 2*heartbeat + time.Second},
		{"a stalled link", func(p *faultproxy.Proxy) { p.Stall() }, 2*heartbeat + time.Second},
		{"a cut link", func(p *faultproxy.Proxy) { p.Cut(faultproxy.RST) }, time.Second},
		{"a closed link", func(p *faultproxy.Proxy) { p.Cut(faultproxy.FIN) }, time.Second},
		{"a frozen source", func(*faultproxy.Proxy) { s.Pause() }, 2*heartbeat + time.Second},
		{"a killed source", func(*faultproxy.Proxy) { s.Kill() }, time.Second},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if !s.Alive() {
				if err := s.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			p, err := faultproxy.New(s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			r := reader(t, s, func(c *Config) { c.Endpoint, c.Heartbeat = endpoint(t, s, p.Addr()), heartbeat })
			run := start(t, r, here(t, s, true))
			s.Exec(t, "INSERT INTO shop.a VALUES ()")
			run.next(t)
			began := time.Now()
			tc.harm(p)
			err = run.ended(t, tc.within)
			s.Resume()
			f := change.FaultOf(err)
			if !mysqlconn.Retryable(err) && (f == nil || f.Class != change.ClassRuntime) {
				t.Errorf("not to be tried again: %v", err)
			}
			t.Logf("noticed after %s: %v", time.Since(began).Round(time.Millisecond), err)
			if plain := p.Plaintext(); len(plain) > 0 {
				t.Errorf("outside TLS: %v", plain)
			}
		})
	}
}

// TestIdleLinkStays: heartbeats keep a link without events alive, and cancelling ends it at once.
func TestIdleLinkStays(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	for _, byGTID := range []bool{true, false} {
		r := reader(t, s, func(c *Config) { c.Heartbeat = 200 * time.Millisecond })
		run := start(t, r, here(t, s, byGTID))
		time.Sleep(2 * time.Second)
		pos, gtids, seen := r.ReadPos()
		want := here(t, s, byGTID)
		if pos != want.Pos || gtids.String() != want.GTIDs || time.Since(seen) > time.Second {
			t.Errorf("read up to %s %s at %s, want %s", pos, gtids, seen, want)
		}
		run.stop()
		if err := run.ended(t, time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// TestBackPressureKeepsTheLink: a slow receiver holds the source back without losing the stream.
func TestBackPressureKeepsTheLink(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.big (id INT PRIMARY KEY AUTO_INCREMENT, v VARBINARY(60000))")
	from := here(t, s, true)
	s.Exec(t, "SET SESSION net_write_timeout=1")
	for range 200 {
		s.Exec(t, "INSERT INTO shop.big (v) VALUES (RANDOM_BYTES(1024)),(REPEAT('x',60000)),(REPEAT('y',60000))")
	}
	r := reader(t, s, func(c *Config) { c.Heartbeat = 300 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	err := r.Run(ctx, from, each(func(*change.Txn) error {
		if n++; n == 1 {
			time.Sleep(3 * time.Second)
		}
		if n == 200 {
			return errEnough
		}
		return nil
	}))
	if !errors.Is(err, errEnough) {
		t.Errorf("after %d transactions: %v", n, err)
	}
}

// TestGTIDKinds reads a source without GTIDs, without checksums, and with tagged GTIDs.
func TestGTIDKinds(t *testing.T) {
	t.Run("no GTIDs and no checksums", func(t *testing.T) {
		s := source(t, testmysql.Options{Binlog: true, ServerID: 7, Extra: []string{"--binlog-checksum=NONE", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"}})
		from := here(t, s, false)
		s.Exec(t, script...)
		got, err := collect(t, s, reader(t, s, nil), from)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, text := range scriptByPosition() {
			want = append(want, strings.Replace(text, " decides XA", "", 1)) // Told by the GTID of the XA PREPARE.
		}
		wantTexts(t, want, describeAll(got))
		for _, txn := range got {
			if !txn.GTID.IsZero() {
				t.Errorf("a GTID: %s", txn.GTID)
			}
		}
	})
	t.Run("tagged GTIDs and a change of checksum", func(t *testing.T) {
		s := source(t, testmysql.SourceOptions())
		from := here(t, s, true)
		s.Exec(t, "SET SESSION gtid_next='AUTOMATIC:blue'; CREATE TABLE shop.a (id INT PRIMARY KEY); INSERT INTO shop.a VALUES (1); SET SESSION gtid_next='AUTOMATIC'",
			"SET GLOBAL binlog_checksum=NONE", "INSERT INTO shop.a VALUES (2)", "SET GLOBAL binlog_checksum=CRC32", "INSERT INTO shop.a VALUES (3)")
		got, err := collect(t, s, reader(t, s, nil), from)
		if err != nil {
			t.Fatal(err)
		}
		set, _ := change.ParseGTIDSet(from.GTIDs)
		for _, txn := range got {
			set.Add(txn.GTID)
		}
		if want := here(t, s, true).GTIDs; set.String() != want || got[0].GTID.Tag != "blue" || got[1].GTID.GNO != 2 {
			t.Errorf("GTIDs %s, want %s", set, want)
		}
		from.GTIDs = set.String()
		s.Exec(t, "INSERT INTO shop.a VALUES (4)")
		rest, err := collect(t, s, reader(t, s, nil), from)
		if err != nil || len(rest) != 1 {
			t.Errorf("rest: %q, %v", describeAll(rest), err)
		}
	})
}
