package applier

import (
	"context"

	"github.com/binseal/binseal/change"
)

// intake gives one by one the transactions that the reader hands over in batches. It belongs to the collector.
type intake struct {
	batches <-chan []*change.Txn // Nil behind its end.
	batch   []*change.Txn        // What is left of the last.
	loan    *change.Loan         // Of the last of that one, and its number there.
	number  uint64
}

// more reports that transactions may come.
func (in *intake) more() bool { return in.batches != nil || len(in.batch) > 0 }

// first is the next transaction of the batch at hand; nil when there is none.
func (in *intake) first() *change.Txn {
	if len(in.batch) == 0 {
		return nil
	}
	return in.batch[0]
}

// drop takes the first transaction off.
func (in *intake) drop() {
	in.batch[0] = nil // Else the last one would stay until another comes.
	in.batch = in.batch[1:]
}

// refill takes what was received: a batch, or the end. Of the one before everything has been merged or executed.
func (in *intake) refill(batch []*change.Txn, ok bool) {
	in.loan.GiveBack(in.number)
	in.batch, in.loan = batch, nil
	if len(batch) > 0 {
		last := batch[len(batch)-1]
		in.loan, in.number = last.Loan, last.Number
	}
	if !ok {
		in.batches = nil
	}
}

// next waits for a transaction; nil behind the last.
func (in *intake) next(ctx context.Context) (*change.Txn, error) {
	for in.more() {
		if t := in.first(); t != nil {
			in.drop()
			return t, nil
		}
		select {
		case batch, ok := <-in.batches:
			in.refill(batch, ok)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, nil //nolint:nilnil // The end is no error.
}
