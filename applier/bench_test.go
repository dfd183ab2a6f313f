package applier

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
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

// mostAllocs is the bound of each stage: what is taken for a buffer, a map's next size or a packet is shared by many rows.
const mostAllocs = 0.02

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
	stage := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			allocs := float64(after.Mallocs-before.Mallocs) / float64(b.N) / changes
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/changes, "ns/row")
			b.ReportMetric(allocs, "allocs/row")
			if allocs > mostAllocs {
				b.Errorf("%.3f allocations a row, more than %g", allocs, mostAllocs)
			}
		})
	}
	stage("merge", func() error { merge(); return nil })
	e := merge()
	stage("plan", func() error { _, err := planEpoch(e, 4, newSpentValues()); return err })
	p, err := planEpoch(e, 0, newSpentValues())
	if err != nil {
		b.Fatal(err)
	}
	write := func(name string, verb verb, loads bool) {
		n := &nowhere{}
		w := &writer{ctx: b.Context(), session: n, limit: 1 << 26, joins: true, loads: loads}
		n.w = w
		steps := []step{{verb: verb, table: p.leader[0].table, rows: p.leader[0].rows}}
		stage(name, func() error { return w.run(steps) })
	}
	write("update", updateRows, false)
	write("delete", deleteRows, false)
	write("insert", insertRows, false)
	write("load", insertRows, true)
}
