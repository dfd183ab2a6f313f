package applier

import (
	"fmt"

	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// byIdentity is a hint. Left to itself the optimizer reads a table from end to end when it has no more rows than the list, and
// waits for each row that another session of the epoch has locked: at the commit barrier that is a deadlock which InnoDB cannot
// see. (FORCE INDEX in a DELETE's form for several tables does not keep it from that: 9.7 still scans.)
func byIdentity(t *schema.Table) string {
	return "/*+ INDEX(" + schema.QuoteName(t.Name) + " " + schema.QuoteName(t.Identity.Name) + ") */ "
}

// rangeFrom is how many rows whose numbers follow each other are written as a range. Tests lower it.
var rangeFrom = 32

const maxRange = 10_000 // Rows of one range.

// listed writes one statement for many rows, sorted by key, that names them by their identity: as a list, and as a range where
// integers follow each other without a gap. Worked example, of the rows 3, 5, 6, 7 … 40:
//
//	DELETE … WHERE `id` IN (3)
//	DELETE … WHERE `id` BETWEEN 5 AND 40 LIMIT 36
//
// No other row can lie in such a range. The server stops at the limit: it does not look at the row behind, whose lock may be
// another session's. In a partitioned table it would look, at the end of each partition, so there all rows are listed; also
// where rows may be missing (anyCount).
func (w *writer) listed(l *rowimage.Layout, rows []*netChange, head string, x expectation) error {
	t := l.Table()
	single := rows
	if l.IdentityCounts() && !t.Partitioned && x.count != anyCount {
		single = nil
		for from := 0; from < len(rows); {
			to := from + 1
			for to < len(rows) && to-from < maxRange && follows(rows[to-1].key, rows[to].key) {
				to++
			}
			if to-from < rangeFrom {
				single = append(single, rows[from:to]...)
			} else if err := w.ranged(l, rows[from], rows[to-1], to-from, head, x); err != nil {
				return err
			}
			from = to
		}
	}
	return w.list(single, head+l.IdentityColumns()+" IN (", ")", x, func(dst []byte, c *netChange) ([]byte, error) { return l.AppendIdentity(dst, c.held()) })
}

// ranged writes the statement for n rows whose identities are the numbers from first to last.
func (w *writer) ranged(l *rowimage.Layout, first, last *netChange, n int, head string, x expectation) (err error) {
	w.begin(head, l.IdentityColumns(), " BETWEEN ")
	if w.buf, err = l.AppendIdentity(w.buf, first.held()); err != nil {
		return err
	}
	if w.buf, err = l.AppendIdentity(append(w.buf, " AND "...), last.held()); err != nil {
		return err
	}
	w.buf = fmt.Appendf(w.buf, " LIMIT %d", n)
	x.count = int64(n)
	return w.end(x)
}

// follows reports that b is the number behind a; both are big-endian (rowimage.Layout.IdentityCounts).
func follows(a, b string) bool {
	i := len(a) - 1
	for ; i > 0 && a[i] == 0xff && b[i] == 0; i-- { // The carry.
	}
	return a[:i] == b[:i] && b[i] == a[i]+1 && b[i] != 0
}
