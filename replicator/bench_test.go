package replicator

import (
	"bytes"
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

// BenchmarkRead is the way from the socket's bytes to transactions: packets, frames with checksums, transactions of four
// row changes on eight tables, as oltp's are. An operation is one transaction of eleven events.
func BenchmarkRead(b *testing.B) {
	const transactions = 1000
	log := newBuilder(true)
	head := len(log.packets)
	for n := range int64(transactions) {
		log.gtid(n + 1)
		log.query("BEGIN")
		row := sbtestRow(uint32(n))
		for i, of := range []struct {
			typ    byte
			images int
		}{{typeUpdateRows, 2}, {typeUpdateRows, 2}, {typeDeleteRows, 1}, {typeWriteRows, 1}} {
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
	var wire []byte
	sequence := byte(1)
	for _, p := range log.packets[head:] {
		wire = append(wire, wirePackets(sequence, append([]byte{mysql.OK_HEADER}, p...))...)
		sequence++
	}
	b.SetBytes(int64(len(wire) / transactions))
	b.ReportAllocs()
	yielded := 0
	var p *packets
	var f framer
	var a *assembler
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			left = transactions
			f = framer{byGTID: true}
			for _, p := range log.packets[:head] {
				if _, _, err := f.next(p); err != nil {
					b.Fatal(err)
				}
			}
			a = &assembler{maxPart: 1 << 30, maxHeld: 1 << 30, admit: func(change.GTID) error { return nil }, done: func(change.GTID) {},
				yield: func(*change.Txn) error { yielded++; return nil }}
			p = newPackets(bytes.NewReader(wire), 1, 1<<26)
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
