package replicator

import (
	"bytes"
	"slices"

	"github.com/binseal/binseal/change"
)

// memory is what transactions are made of: blocks of bodies of row events, of rows and of transactions, which are lent with
// the transactions and used again when these have been given back (change.Loan). A block may hold what belongs to the open
// transaction, so the block's last transaction is that one. Worked example, blocks of 100 bytes:
//
//	txn 1, 70 bytes    block A
//	txn 2, 60 bytes    block B; A is lent until 2 comes back, since 2 could have begun in it
//	txn 3, 60 bytes    block C if 2 has not come back, else A
//
// The zero value is ready: a loan of which nothing comes back. Not for concurrent use.
type memory struct {
	loan   *change.Loan
	number uint64 // Of the last transaction, or part, that was made.

	bodies blocks[byte]
	events blocks[change.Row]
	txns   blocks[change.Txn]
	usual  int // Rows of the last transaction: the next one most often has as many.
}

// Sizes of the blocks: of bodies a few hundred small transactions'.
const (
	bodiesAtOnce = 4 * change.LentImage
	rowsAtOnce   = 256
	txnsAtOnce   = 16
	usualRows    = 4                // The least room for a transaction's rows.
	smallTxn     = change.LentImage // Bytes.
	lentOfTxn    = 512 << 10        // Bytes: the bodies of a transaction behind these have memory of their own.
	// maxLent is how many blocks of a kind are waited for, more than the transactions under way take; of more, which nobody
	// gives back, the oldest are left to their holders.
	maxLent = 64
)

// blocks are the blocks of one kind.
type blocks[T any] struct {
	block []T       // The one at hand; what is used of it is its length.
	lent  []lent[T] // Full ones, in their order.
	ended int       // So many have been full.
}

type lent[T any] struct {
	block []T
	last  uint64 // It may hold parts of transactions up to this one.
}

// next puts an empty block of n at hand: one that has come back, or a new one.
func (b *blocks[T]) next(n int, m *memory) {
	var empty []T
	if m.loan != nil && len(b.lent) > 0 && b.lent[0].last <= m.loan.Back() {
		empty = b.lent[0].block[:0]
		b.lent = slices.Delete(b.lent, 0, 1)
	} else {
		empty = make([]T, 0, n)
	}
	if b.block != nil {
		if len(b.lent) == maxLent {
			b.lent = slices.Delete(b.lent, 0, 1)
		}
		b.lent = append(b.lent, lent[T]{b.block, m.number + 1})
		b.ended++
	}
	b.block = empty
}

// keep copies a body. long: it is kept past its epoch (XA), or of a large transaction. Such a one, and a large one, gets memory
// of its own.
func (m *memory) keep(body []byte, long bool) []byte {
	if long || len(body) > change.LentImage {
		return bytes.Clone(body)
	}
	b := &m.bodies
	if len(body) > cap(b.block)-len(b.block) {
		b.next(bodiesAtOnce, m)
	}
	n := len(b.block)
	b.block = append(b.block, body...)
	return b.block[n:len(b.block):len(b.block)]
}

// mark is how much is kept.
type mark struct {
	block []byte
	ended int
}

func (m *memory) mark() mark { return mark{m.bodies.block, m.bodies.ended} }

// rollback gives up what the open transaction has kept since a mark of its own: what a ROLLBACK TO SAVEPOINT drops must not
// stay behind, uncounted.
func (m *memory) rollback(to mark) {
	b := &m.bodies
	if n := b.ended - to.ended; n > 0 { // The block of the mark is the first of those that were full since.
		b.lent = b.lent[:max(0, len(b.lent)-n)]
	}
	b.block, b.ended = to.block, to.ended
}

// rows is room for the rows of a transaction, which may outgrow it.
func (m *memory) rows() []change.Row {
	b := &m.events
	if cap(b.block)-len(b.block) < max(usualRows, m.usual) {
		b.next(rowsAtOnce, m)
	}
	return b.block[len(b.block):]
}

// keepRows keeps rows that began in room.
func (m *memory) keepRows(rows []change.Row) {
	b := &m.events
	m.usual = min(len(rows), rowsAtOnce)
	if n := len(b.block) + len(rows); len(rows) > 0 && n <= cap(b.block) && &b.block[:n][n-len(rows)] == &rows[0] {
		b.block = b.block[:n]
	} else {
		m.outgrown()
	}
}

// outgrown clears the room of rows that lie elsewhere now: what they hold would stay until it is written over.
func (m *memory) outgrown() {
	b := &m.events
	clear(b.block[len(b.block):cap(b.block)])
}

// own gives a large transaction, or one that is kept for long, and its rows memory of their own. In a block they would keep all
// that they hold until it is written over.
func (m *memory) own(rows []change.Row) (*change.Txn, []change.Row) {
	own := slices.Clone(rows)
	clear(rows)
	m.outgrown()
	m.number++
	return &change.Txn{Loan: m.loan, Number: m.number}, own
}

// txn is a transaction that is zero but for its place in the loan.
func (m *memory) txn() *change.Txn {
	b := &m.txns
	if len(b.block) == cap(b.block) {
		b.next(txnsAtOnce, m)
	}
	m.number++
	b.block = append(b.block, change.Txn{Loan: m.loan, Number: m.number})
	return &b.block[len(b.block)-1]
}
