package replicator

import (
	"bytes"
	"io"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
)

// sbtestMap describes shop.sbtestN (id INT, k INT, c CHAR(120), pad CHAR(60)) in latin1.
func sbtestMap(n uint64) []byte {
	body := append(append(le(100+n, 6), le(1, 2)...), 4)
	body = append(append(body, "shop\x00\x07sbtest"...), byte('0'+n), 0, 4, 3, 3, 254, 254, 4)
	return append(body, 254, 120, 254, 60, 0)
}

func sbtestRow(id uint32) []byte {
	row := append(append([]byte{0}, le(uint64(id), 4)...), le(uint64(id/2), 4)...)
	row = append(append(row, 119), bytes.Repeat([]byte("0123456789-"), 11)[:119]...)
	return append(append(row, 59), bytes.Repeat([]byte("9876543210-"), 6)[:59]...)
}

// change4 are the row changes of a transaction of sysbench's oltp.
var change4 = []rowChange{{typeUpdateRows, 2}, {typeUpdateRows, 2}, {typeDeleteRows, 1}, {typeWriteRows, 1}}

// rowChange is a row event of one row.
type rowChange struct {
	typ    byte
	images int
}

// BenchmarkRead is the way from the socket's bytes to transactions: packets, frames with checksums, transactions of four
// row changes on eight tables, as oltp's are. An operation is one transaction of eleven events.
func BenchmarkRead(b *testing.B) { benchmarkRead(b, change4) }

// BenchmarkReadOne has one row in a transaction: an operation is one of five events.
func BenchmarkReadOne(b *testing.B) { benchmarkRead(b, change4[3:]) }

const benchTransactions = 1000

// records gives at most a record of TLS at a time.
type records struct{ io.Reader }

func (r records) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 16<<10)]) }

// transactionsOf is the begin of a log, and benchTransactions as they come over the wire.
func transactionsOf(changes []rowChange) (head [][]byte, wire []byte) {
	log := newBuilder(true)
	begin := len(log.packets)
	for n := range int64(benchTransactions) {
		log.gtid(n + 1)
		log.query("BEGIN")
		row := sbtestRow(uint32(n))
		for i, of := range changes {
			table := uint64(n+int64(i)*3) % 8
			log.add(typeTableMap, 0, sbtestMap(table))
			body := append(append(le(100+table, 6), le(uint64(change.FlagStmtEnd), 2)...), 2, 0, 4)
			for range of.images {
				body = append(body, 0xff)
			}
			log.add(of.typ, 0, append(body, bytes.Repeat(row, of.images)...))
		}
		log.xid()
	}
	sequence := byte(1)
	for _, p := range log.packets[begin:] {
		wire = append(wire, wirePackets(sequence, append([]byte{mysql.OK_HEADER}, p...))...)
		sequence++
	}
	return log.packets[:begin], wire
}

func benchmarkRead(b *testing.B, changes []rowChange) {
	head, wire := transactionsOf(changes)
	b.SetBytes(int64(len(wire) / benchTransactions))
	b.ReportAllocs()
	yielded := 0
	var p *packets
	var f framer
	var a *assembler
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			left = benchTransactions
			f = framer{byGTID: true}
			for _, p := range head {
				if _, _, err := f.next(p); err != nil {
					b.Fatal(err)
				}
			}
			var err error
			a, err = New(Config{}).assembler(change.Checkpoint{ByGTID: true}, func(t *change.Txn) error {
				yielded++
				t.Loan.GiveBack(t.Number) // As soon as it is merged.
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			p = newPackets(records{bytes.NewReader(wire)}, 1, 1<<26)
			b.StartTimer()
		}
		for before := yielded; yielded == before; {
			raw, lent, err := p.next()
			if err != nil {
				b.Fatal(err)
			}
			ev, deliver, err := f.next(raw[1:])
			if err != nil {
				b.Fatal(err)
			}
			ev.lent = lent
			if !deliver {
				continue
			}
			if err := a.add(ev); err != nil {
				b.Fatal(err)
			}
		}
		left--
	}
}
