package change

import "sync/atomic"

// LentImage is the size in bytes up to which an image may lie in memory that is lent with its transaction.
const LentImage = 16 << 10

// Loan is how the memory of transactions, with that of their rows and small images, comes back to the reader, which puts
// those behind into it: it is warm then, and costs the collector of garbage nothing. What else a transaction points to, larger
// images among it, is never used again. Transactions come back in their order.
// Whoever keeps one for longer does not give it back, nor any behind it: the reader takes fresh memory then.
type Loan struct{ back atomic.Uint64 }

// Back is the number of the last transaction that has come back; 0 for none.
func (l *Loan) Back() uint64 { return l.back.Load() }

// GiveBack says that nobody looks any more at the transaction of a number, or at one before it. Of no loan (nil) nothing comes
// back.
func (l *Loan) GiveBack(number uint64) {
	if l != nil {
		l.back.Store(number)
	}
}
