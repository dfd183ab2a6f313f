package replicator

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// What is kept stays as it is until its transaction is given back, whatever is kept meanwhile, marked and given up.
func TestLentMemoryIsUsedAgainOnlyWhenItHasComeBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := memory{loan: new(change.Loan)}
		type kept struct {
			number uint64 // 0: of the open transaction.
			body   []byte
			is     byte
		}
		var all []kept
		var txns []*change.Txn
		var marks []mark
		var at []int // How much of all each mark had.
		back, fill := 0, byte(0)
		rows := m.rows()
		for range rapid.IntRange(1, 300).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"keep", "keep", "keep", "mark", "rollback", "commit", "commit", "back"}).Draw(r, "step") {
			case "keep":
				fill++
				body := bytes.Repeat([]byte{fill}, rapid.SampledFrom([]int{1, 100, 9000, change.LentImage, change.LentImage + 1}).Draw(r, "size"))
				all = append(all, kept{body: m.keep(body, false), is: fill})
				rows = append(rows, change.Row{After: all[len(all)-1].body})
			case "mark":
				marks, at = append(marks, m.mark()), append(at, len(all))
			case "rollback":
				if n := len(marks); n > 0 {
					dropped := len(all) - at[n-1]
					m.rollback(marks[n-1])
					all, rows = all[:at[n-1]], rows[:len(rows)-dropped]
				}
			case "commit":
				m.keepRows(rows)
				txn := m.txn()
				txn.Rows, txns, marks, at = rows[:len(rows):len(rows)], append(txns, txn), nil, nil
				for i := range all {
					if all[i].number == 0 {
						all[i].number = txn.Number
					}
				}
				rows = m.rows()
			case "back":
				if back < len(txns) {
					back = rapid.IntRange(back+1, len(txns)).Draw(r, "back")
					m.loan.GiveBack(txns[back-1].Number)
				}
			}
			n := map[uint64]int{}
			for _, k := range all {
				if k.number != 0 && k.number <= uint64(back) {
					continue
				}
				n[k.number]++
				if bytes.Count(k.body, []byte{k.is}) != len(k.body) {
					r.Fatalf("a body of transaction %d is written over; %d is back", k.number, back)
				}
			}
			for i, txn := range txns[back:] {
				if number := uint64(back + i + 1); txn.Number != number || len(txn.Rows) != n[number] {
					r.Fatalf("transaction %d has number %d and %d rows of %d", number, txn.Number, len(txn.Rows), n[number])
				}
				for _, row := range txn.Rows {
					if len(row.After) == 0 || row.Before != nil {
						r.Fatalf("a row of transaction %d is written over", txn.Number)
					}
				}
			}
		}
	})
}

// Small transactions that are given back cost no memory.
func TestGivenBackMemoryIsUsedAgain(t *testing.T) {
	body := make([]byte, 200)
	for _, n := range []int{1, 4, 10, 200} {
		m := memory{loan: new(change.Loan)}
		one := func() {
			rows := m.rows()
			for range n {
				rows = append(rows, change.Row{After: m.keep(body, false)})
			}
			m.keepRows(rows)
			txn := m.txn()
			txn.Rows = rows
			m.loan.GiveBack(txn.Number)
		}
		for range 10_000 {
			one()
		}
		if got := testing.AllocsPerRun(10_000, one); got > 0.01 {
			t.Errorf("%d rows: %v allocations for a transaction", n, got)
		}
		if len(m.bodies.lent) > 2 || len(m.events.lent) > 2 || len(m.txns.lent) > 2 {
			t.Errorf("%d rows: %d, %d and %d blocks are lent", n, len(m.bodies.lent), len(m.events.lent), len(m.txns.lent))
		}
	}
}

// What the assembler makes of a log is the same whether its memory is used again or not.
func TestTransactionsAreTheSameInLentMemory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBuilder(true)
		values := func() []uint32 {
			n := rapid.SampledFrom([]int{1, 2, 5, 300, 3000, 4000}).Draw(r, "rows")
			vs := make([]uint32, n)
			for i := range vs {
				vs[i] = rapid.Uint32().Draw(r, "value")
				if i == 5 {
					break // Zeros behind it.
				}
			}
			return vs
		}
		var prepared []string
		transactions := rapid.IntRange(1, 80).Draw(r, "transactions")
		for gno := range int64(transactions) {
			b.gtid(gno + 1)
			switch kind := rapid.IntRange(0, 9).Draw(r, "kind"); {
			case kind == 0:
				name := string(rune('a' + len(prepared)%26))
				prepared = append(prepared, name)
				b.xaPrepare(name, false, values()...)
				continue
			case kind == 1 && len(prepared) > 0:
				b.query(xaText(rapid.SampledFrom([]string{"COMMIT", "ROLLBACK"}).Draw(r, "decision"), prepared[0]))
				prepared = prepared[1:]
				continue
			case kind == 2:
				b.query("CREATE TABLE t (a INT)")
				continue
			}
			b.query("BEGIN")
			marked := false
			for range rapid.IntRange(0, 9).Draw(r, "statements") {
				switch rapid.IntRange(0, 5).Draw(r, "statement") {
				case 0:
					b.query("SAVEPOINT `s`")
					marked = true
				case 1:
					if marked {
						b.query("ROLLBACK TO `s`")
					}
				default:
					b.tableMap(7, "a")
					b.insert(7, values()...)
				}
			}
			b.xid()
		}
		maxPart := rapid.SampledFrom([]int{10_000, 1 << 20}).Draw(r, "part")
		want, wantErr := read(t, b.packets, true, func(_ *framer, a *assembler) { a.maxPart, a.memory.loan = maxPart, nil })
		var got []string
		var waiting []*change.Txn
		loan := new(change.Loan)
		back := func(n int) {
			for _, txn := range waiting[:n] {
				got = append(got, line(txn))
			}
			if n > 0 && waiting[n-1].Loan != nil {
				loan.GiveBack(waiting[n-1].Number)
			}
			waiting = waiting[n:]
		}
		_, err := read(t, b.packets, true, func(_ *framer, a *assembler) {
			a.maxPart, a.memory.loan = maxPart, loan
			a.yield = func(txn *change.Txn) error {
				waiting = append(waiting, txn)
				if n := rapid.IntRange(0, 2*len(waiting)).Draw(r, "back"); n <= len(waiting) {
					back(n)
				}
				return nil
			}
		})
		back(len(waiting))
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !slices.Equal(got, want) {
			r.Fatalf("%v, want %v; %d transactions of %d, other ones", err, wantErr, len(got), len(want))
		}
	})
}

// What a large transaction held is nobody's when it has been given back, however few follow it.
func TestLargeTransactionsLeaveNothingBehind(t *testing.T) {
	const parts, size = 10, 1 << 20 // Bytes of each of ten rows.
	held := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	m := memory{loan: new(change.Loan)}
	m.keepRows(m.rows()[:rowsAtOnce-usualRows]) // The first ones outgrow their room.
	before := held()
	for range parts {
		rows := m.rows()
		for range 10 {
			rows = append(rows, change.Row{After: m.keep(make([]byte, size), false)})
		}
		txn, own := m.own(rows)
		txn.Rows = own
		m.loan.GiveBack(txn.Number)
	}
	if now := held(); now > before+size {
		t.Errorf("%d parts of ten rows of %d bytes leave %d bytes", parts, size, now-before)
	}
	runtime.KeepAlive(&m)
}
