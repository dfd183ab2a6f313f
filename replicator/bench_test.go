package replicator

import (
	"bytes"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
)

// BenchmarkRead is the way from the socket's bytes to transactions: packets, frames with checksums, transactions of four
// row changes as oltp's are. An operation is one transaction of eleven events.
func BenchmarkRead(b *testing.B) {
	const transactions = 1000
	log := newBuilder(true)
	head := len(log.packets)
	for n := range int64(transactions) {
		log.gtid(n + 1)
		log.query("BEGIN")
		for i := range 4 {
			log.tableMap(7, "t")
			log.insert(7, uint32(i))
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
