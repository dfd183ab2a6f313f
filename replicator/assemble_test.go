package replicator

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// read runs packets through a framer and an assembler and renders what comes out, a line per part. Each packet's memory is
// written over behind it, as the packet buffer's is: what came out must not depend on it.
func read(t testing.TB, packets [][]byte, byGTID bool, edit func(*framer, *assembler)) (lines []string, err error) {
	t.Helper()
	return readFrom(t, packets, change.Checkpoint{ByGTID: byGTID}, edit)
}

func readFrom(t testing.TB, packets [][]byte, from change.Checkpoint, edit func(*framer, *assembler)) (lines []string, err error) {
	t.Helper()
	filter, err := schema.NewFilter(schema.FilterConfig{Exclude: []string{"shop.tmp_*"}})
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{Filter: filter, MaxRowBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	frames := framer{byGTID: from.ByGTID}
	var txns []*change.Txn
	defer func() {
		for _, txn := range txns {
			lines = append(lines, line(txn))
		}
	}()
	a, err := r.assembler(from, func(txn *change.Txn) error {
		txns = append(txns, txn)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.payload.close()
	if edit != nil {
		edit(&frames, a)
	}
	for _, p := range packets {
		if err := lend(bytes.Clone(p), &frames, a); err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// lend gives a packet to the framer and the assembler and writes over its memory.
func lend(p []byte, frames *framer, a *assembler) error {
	defer copy(p, bytes.Repeat([]byte{0xaa}, len(p)))
	ev, deliver, err := frames.next(p)
	if err != nil {
		return at(err, ev.start, a.gtidNow())
	}
	if !deliver {
		return nil
	}
	ev.lent = true
	return a.add(ev)
}

func line(txn *change.Txn) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s-%s", txn.GTID, txn.Start, txn.End)
	if !txn.Whole() {
		fmt.Fprintf(&b, " part first=%v last=%v", txn.First, txn.Last)
	}
	if txn.DDL != nil {
		fmt.Fprintf(&b, " DDL %s", txn.DDL.SQL)
	}
	for _, row := range txn.Rows {
		fmt.Fprintf(&b, " %s %x", row.Table.Table, row.After)
	}
	return b.String()
}

// short drops positions, which most cases do not care for.
func short(lines []string) []string {
	var out []string
	for _, l := range lines {
		fields := strings.SplitN(l, " ", 3)
		gno := fields[0][strings.LastIndexByte(fields[0], ':')+1:]
		rest := ""
		if len(fields) > 2 {
			rest = " " + fields[2]
		}
		out = append(out, gno+rest)
	}
	return out
}

func TestAssembly(t *testing.T) {
	const one, two, three = "0001000000", "0002000000", "0003000000"
	tests := map[string]struct {
		build      func(t *testing.T, b *builder)
		want       []string
		code       string // Of the fault that ends it; "" for none.
		part       int    // Bytes of a part; 0 for the default.
		byPosition bool   // The stream goes on by file and position.
	}{
		"a transaction of two statements on two tables": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1, 2)
				b.tableMap(8, "b")
				b.insert(8, 3)
				b.xid()
			},
			want: []string{"1 a " + one + " a " + two + " b " + three}},
		"an anonymous transaction that ends in COMMIT": {
			byPosition: true,
			build: func(_ *testing.T, b *builder) {
				b.anonymous()
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("COMMIT")
			},
			want: []string{" a " + one}},
		"a transaction without any announcement, as before MySQL 5.7": {
			byPosition: true,
			build:      func(_ *testing.T, b *builder) { b.query("BEGIN"); b.tableMap(7, "a"); b.insert(7, 1); b.xid() },
			want:       []string{" a " + one}},
		"an anonymous transaction among GTIDs": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.xid()
				b.anonymous()
				b.query("BEGIN")
				b.xid()
			},
			want: []string{"1"}, code: "BS-GTID-MODE"},
		"rows without any announcement among GTIDs": {
			build: func(_ *testing.T, b *builder) { b.query("BEGIN"); b.tableMap(7, "a"); b.insert(7, 1); b.xid() },
			code:  "BS-GTID-MODE"},
		"DDL without any announcement among GTIDs": {
			build: func(_ *testing.T, b *builder) { b.query("DROP TABLE shop.a") },
			code:  "BS-GTID-MODE"},
		"an empty transaction still brings its GTID": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.query("COMMIT") },
			want:  []string{"1"}},
		"rows of excluded tables are dropped, the transaction is not": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "tmp_x")
				b.tableMap(8, "b")
				b.add(typeWriteRows, 0, insertBody(7, 0, 1))
				b.insert(8, 3)
				b.xid()
			},
			want: []string{"1 b " + three}},
		"a TABLE_MAP holds for one statement": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.insert(7, 1)
			},
			code: "BS-EVENT-MALFORMED"},
		"an excluded table's partial JSON is none of our business": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "tmp_x")
				b.add(typePartialUpdateRows, 0, insertBody(7, change.FlagStmtEnd, 1))
				b.xid()
			},
			want: []string{"1"}},
		"parts of JSON that cannot be read stop the stream": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				// Both bitmaps, a row, and options that are not known.
				b.add(typePartialUpdateRows, 0, append(insertBody(7, change.FlagStmtEnd), 1, 0, 1, 0, 0, 0, 0x80, 0, 1, 0, 0, 0))
			},
			code: "BS-EVENT-MALFORMED"},
		"a savepoint that is rolled back to takes its rows with it": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("SAVEPOINT `S``p`")
				b.tableMap(7, "a")
				b.insert(7, 2)
				b.query("SAVEPOINT `inner`")
				b.query("ROLLBACK TO `s``P`")
				b.tableMap(7, "a")
				b.insert(7, 3)
				b.xid()
			},
			want: []string{"1 a " + one + " a " + three}},
		"a savepoint that was set again": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.query("SAVEPOINT `s`")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("SAVEPOINT `s`")
				b.tableMap(7, "a")
				b.insert(7, 2)
				b.query("ROLLBACK TO `s`")
				b.query("RELEASE SAVEPOINT `s`")
				b.xid()
			},
			want: []string{"1 a " + one}},
		"an insert whose image has no column": { // As 9.7 logs INSERT … VALUES () under MINIMAL: no bytes, one row or more.
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.add(typeWriteRows, 0, append(append(append(le(7, 6), le(uint64(change.FlagStmtEnd), 2)...), le(2, 2)...), 1, 0))
				b.xid()
			},
			code: "BS-PARTIAL-IMAGE"},
		"a savepoint that nobody set": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.query("ROLLBACK TO `s`") },
			code:  "BS-EVENT-UNSUPPORTED"},
		"a savepoint whose rows are gone": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.query("SAVEPOINT `s`")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("ROLLBACK TO `s`")
			},
			part: 1, want: []string{"1 part first=true last=false a " + one}, code: "BS-EVENT-UNSUPPORTED"},
		"a transaction in parts": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.add(typeWriteRows, 0, insertBody(7, 0, 1))
				b.insert(7, 2)
				b.xid()
			},
			part: 1,
			want: []string{"1 part first=true last=false a " + one, "1 part first=false last=false a " + two, "1 part first=false last=true"}},
		"a rolled back transaction without rows": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.query("ROLLBACK") },
			want:  []string{"1"}},
		"a rolled back transaction with rows": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("ROLLBACK")
			},
			code: "BS-EVENT-UNSUPPORTED"},
		"DDL, also between transactions and behind a comment": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("/* c */ CREATE TABLE a (id INT)")
				b.gtid(2)
				b.query("DROP TABLE a")
			},
			want: []string{"1 DDL /* c */ CREATE TABLE a (id INT)", "2 DDL DROP TABLE a"}},
		"DDL that failed in part": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.add(typeQuery, 0, queryBody("shop", "DROP TABLE a, b", 1051))
			},
			code: "BS-DDL-UNSUPPORTED"},
		"DDL with a status variable that is not known": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.add(typeQuery, 0, queryBody("shop", "DROP TABLE a", 0, 99, 0))
			},
			code: "BS-EVENT-MALFORMED"},
		"CREATE TABLE … SELECT": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.query("CREATE TABLE `a` (\n  `id` int DEFAULT NULL\n) START TRANSACTION")
				b.tableMap(7, "a")
				b.insert(7, 1, 2)
				b.xid()
			},
			want: []string{"1 part first=true last=false DDL CREATE TABLE `a` (\n  `id` int DEFAULT NULL\n) START TRANSACTION",
				"1 part first=false last=true a " + one + " a " + two}},
		"CREATE TABLE … SELECT of an excluded table, without rows": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.query("CREATE TABLE tmp_a (id INT) START TRANSACTION")
				b.xid()
			},
			want: []string{"1 part first=true last=false DDL CREATE TABLE tmp_a (id INT) START TRANSACTION", "1 part first=false last=true"}},
		"CREATE TABLE … SELECT before 8.0.21, without a GTID": {
			byPosition: true,
			build: func(_ *testing.T, b *builder) {
				b.query("BEGIN")
				b.query("CREATE TABLE `a` (\n  `id` int(11) NOT NULL\n) COMMENT='no START TRANSACTION'")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.xid()
				b.query("BEGIN")
				b.query("CREATE TABLE `b` (\n  `id` int(11) NOT NULL\n)")
				b.query("COMMIT")
			},
			want: []string{" part first=true last=false DDL CREATE TABLE `a` (\n  `id` int(11) NOT NULL\n) COMMENT='no START TRANSACTION' START TRANSACTION", " part first=false last=true a " + one,
				" part first=true last=false DDL CREATE TABLE `b` (\n  `id` int(11) NOT NULL\n) START TRANSACTION", " part first=false last=true"}},
		"CREATE TABLE … SELECT behind rows": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("CREATE TABLE b (id INT) START TRANSACTION")
			},
			code: "BS-DDL-UNSUPPORTED"},
		"another definition inside a transaction": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.query("CREATE TEMPORARY TABLE b (id INT)")
			},
			code: "BS-DDL-UNSUPPORTED"},
		"the end of a temporary table inside a transaction": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.query("DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `b`")
				b.xid()
			},
			want: []string{"1 a " + one}},
		"statement-format DML": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.query("insert into a values (1)") },
			code:  "BS-DML-STATEMENT"},
		"statement-format DML announced by its random seed": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.add(typeRand, 0, make([]byte, 16)) },
			code:  "BS-DML-STATEMENT"},
		"an incident":      {build: func(_ *testing.T, b *builder) { b.gtid(1); b.add(typeIncident, 0, le(1, 2)) }, code: "BS-INCIDENT"},
		"an unknown event": {build: func(_ *testing.T, b *builder) { b.gtid(1); b.add(77, 0, nil) }, code: "BS-EVENT-UNKNOWN"},
		"an unknown event that may be ignored": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.add(77, flagIgnorable, nil)
				b.query("BEGIN")
				b.add(typeRowsQuery, flagIgnorable, []byte("\x06insert"))
				b.xid()
			},
			want: []string{"1"}},
		"a row event without its TABLE_MAP": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.insert(7, 1) }, code: "BS-EVENT-MALFORMED"},
		"the row event without rows that ends a statement": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.insert(dummyTable)
				b.xid()
			},
			want: []string{"1"}},
		"a row event that is cut off": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				body := insertBody(7, 1, 1)
				b.add(typeWriteRows, 0, body[:len(body)-1])
			},
			code: "BS-EVENT-MALFORMED"},
		"a compressed transaction": {
			build: func(t *testing.T, b *builder) {
				b.gtid(1)
				plain := inner(raw(typeQuery, 0, 0, queryBody("", "BEGIN", 0), false), raw(typeTableMap, 0, 0, tableMapBody(7, "a"), false),
					raw(typeWriteRows, 0, 0, insertBody(7, 1, 1), false), raw(typeXID, 0, 0, le(1, 8), false))
				b.add(typePayload, 0, payloadBody(t, 0, len(plain), plain))
				b.gtid(2)
				b.add(typePayload, 0, payloadBody(t, 255, len(plain), plain))
			},
			want: []string{"1 a " + one, "2 a " + one}},
		"a compressed transaction with a wrong size": {
			build: func(t *testing.T, b *builder) {
				b.gtid(1)
				plain := inner(raw(typeQuery, 0, 0, queryBody("", "BEGIN", 0), false), raw(typeXID, 0, 0, le(1, 8), false))
				b.add(typePayload, 0, payloadBody(t, 0, len(plain)+1, plain))
			},
			want: []string{"1"}, code: "BS-EVENT-MALFORMED"},
		"a compressed transaction without its end": {
			build: func(t *testing.T, b *builder) {
				b.gtid(1)
				plain := inner(raw(typeQuery, 0, 0, queryBody("", "BEGIN", 0), false))
				b.add(typePayload, 0, payloadBody(t, 0, len(plain), plain))
			},
			code: "BS-EVENT-MALFORMED"},
		"an event inside a payload that is too large": {
			build: func(t *testing.T, b *builder) {
				b.gtid(1)
				plain := raw(typeRowsQuery, 0, 0, make([]byte, 2<<20), false)
				b.add(typePayload, 0, payloadBody(t, 0, len(plain), plain))
			},
			code: "BS-TOO-LARGE"},
		"a payload inside a payload": {
			build: func(t *testing.T, b *builder) {
				b.gtid(1)
				plain := raw(typePayload, 0, 0, nil, false)
				b.add(typePayload, 0, payloadBody(t, 255, len(plain), plain))
			},
			code: "BS-EVENT-MALFORMED"},
		"a file that ends inside a transaction, as after a crash": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("BEGIN")
				b.tableMap(7, "a")
				b.insert(7, 1)
				b.add(typeStop, 0, nil)
				b.gtid(1)
				b.query("DROP TABLE a")
			},
			want: []string{"1 DDL DROP TABLE a"}},
		"a transaction that was applied before": {
			build: func(_ *testing.T, b *builder) {
				b.gtid(1)
				b.query("DROP TABLE a")
				b.gtid(1)
			},
			want: []string{"1 DDL DROP TABLE a"}, code: "BS-PROTOCOL"},
		"a transaction inside another": {
			build: func(_ *testing.T, b *builder) { b.gtid(1); b.query("BEGIN"); b.gtid(2) }, code: "BS-EVENT-MALFORMED"},
		"an end without a begin": {build: func(_ *testing.T, b *builder) { b.gtid(1); b.xid() }, code: "BS-EVENT-MALFORMED"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(true)
			tc.build(t, b)
			got, err := read(t, b.packets, true, func(_ *framer, a *assembler) {
				a.byPosition = tc.byPosition
				if tc.part > 0 {
					a.maxPart = tc.part
				}
			})
			if d := cmp.Diff(tc.want, short(got)); d != "" {
				t.Errorf("want (-) got (+):\n%s", d)
			}
			wantFault(t, tc.code, err)
		})
	}
}

// wantFault checks a fault's code, and that it says where.
func wantFault(t *testing.T, code string, err error) {
	t.Helper()
	f := change.FaultOf(err)
	switch {
	case code == "" && err == nil:
	case f == nil || f.Code != code:
		t.Errorf("want fault %q, got %v", code, err)
	case f.Where == "" || f.Next == "":
		t.Errorf("fault without place or next step: %+v", f)
	}
}

func TestPositionsOfATransaction(t *testing.T) {
	b := newBuilder(true)
	begin := b.pos
	b.gtid(1)
	b.query("BEGIN")
	b.tableMap(7, "a")
	b.insert(7, 1)
	b.xid()
	end := b.pos
	got, err := read(t, b.packets, true, nil)
	want := []string{fmt.Sprintf("%s:1 binlog.000001:%d-binlog.000001:%d a 0001000000", testUUID, begin, end)}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

// TestTableMapsAreShared: the applier keeps what it derives from a TABLE_MAP under its pointer.
func TestTableMapsAreShared(t *testing.T) {
	b := newBuilder(false)
	for i := range 3 {
		b.gtid(int64(i + 1))
		b.query("BEGIN")
		b.tableMap(7, "a")
		b.insert(7, 1)
		b.xid()
		if i == 1 {
			b.gtid(9)
			b.query("ALTER TABLE a ADD COLUMN c INT")
		}
	}
	var maps []*change.TableMap
	_, err := read(t, b.packets, true, func(_ *framer, a *assembler) {
		a.yield = func(txn *change.Txn) error {
			for _, r := range txn.Rows {
				maps = append(maps, r.Table)
			}
			return nil
		}
	})
	if err != nil || len(maps) != 3 || maps[0] != maps[1] || maps[1] == maps[2] {
		t.Errorf("maps %p, error %v", maps, err)
	}
}

// BenchmarkAssembly reads transactions of ten rows events of 100 rows: framing, checksum and cutting, no network.
func BenchmarkAssembly(b *testing.B) {
	values := make([]uint32, 100)
	log := newBuilder(true)
	for range 10 {
		log.gtid(1)
		log.query("BEGIN")
		for range 10 {
			log.tableMap(7, "a")
			log.insert(7, values...)
		}
		log.xid()
	}
	size := 0
	for _, p := range log.packets {
		size += len(p)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(b, log.packets, false, func(_ *framer, a *assembler) {
			a.yield = func(*change.Txn) error { return nil }
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10*10*100/b.Elapsed().Seconds(), "rows/s")
}
