package applier

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/binseal/binseal/change"
)

// nowhere takes packets and says what the writer wants to hear.
type nowhere struct {
	w      *writer
	counts []int64
}

func (n *nowhere) exec(context.Context, string) ([]int64, error) {
	n.counts = n.counts[:0]
	for _, x := range n.w.sent {
		n.counts = append(n.counts, max(x.count, 0))
	}
	return n.counts, nil
}

func (n *nowhere) load(_ context.Context, _ string, lines io.Reader) (loaded, warnings int64, err error) {
	_, err = io.Copy(io.Discard, lines)
	return n.w.sent[0].count, 0, err
}

// BenchmarkEpoch is the way from transactions to packets of SQL, stage by stage, for an epoch of 20,000 row changes of
// which half meet on 1,000 hot keys. ns/row are for a row change received, allocations for all of them.
func BenchmarkEpoch(b *testing.B) {
	m := modelMap()
	rnd := rand.New(rand.NewPCG(1, 2))
	const changes = 20_000
	var txns []*change.Txn
	for i := range uint64(changes / 4) {
		var rows []change.Row
		for range 4 {
			key := 1000 + rnd.IntN(1_000_000)
			if rnd.IntN(2) == 0 {
				key = rnd.IntN(1000)
			}
			id := fmt.Sprintf("%08d", key)
			rows = append(rows, rowsOf(m, change.Update, 0, modelRow{id: id, v: 1}.image(), modelRow{id: id, v: rnd.Int32()}.image())...)
		}
		txns = append(txns, txnAt(i+1, rows...))
	}
	a := newTestApplier(bound(b, modelTable(0), m))
	merge := func() *epoch {
		e := newEpoch()
		for _, t := range txns {
			if _, err := a.prepare(b.Context(), e, t); err != nil {
				b.Fatal(err)
			}
			if err := a.merge(e, t); err != nil {
				b.Fatal(err)
			}
			e.note(t)
		}
		return e
	}
	perRow := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/changes, "ns/row")
		b.ReportAllocs()
	}
	b.Run("merge", func(b *testing.B) {
		for b.Loop() {
			merge()
		}
		perRow(b)
	})
	e := merge()
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			if _, err := planEpoch(e, 4, newSpentValues()); err != nil {
				b.Fatal(err)
			}
		}
		perRow(b)
	})
	p, err := planEpoch(e, 0, newSpentValues())
	if err != nil {
		b.Fatal(err)
	}
	write := func(steps []step, loads bool) func(b *testing.B) {
		return func(b *testing.B) {
			n := &nowhere{}
			w := &writer{ctx: b.Context(), session: n, limit: 1 << 26, joins: true, loads: loads}
			n.w = w
			for b.Loop() {
				if err := w.run(steps); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		}
	}
	b.Run("write", write(p.leader, false))
	inserts := []step{{verb: insertRows, table: p.leader[0].table, rows: p.leader[0].rows}}
	b.Run("insert", write(inserts, false))
	b.Run("load", write(inserts, true))
}
