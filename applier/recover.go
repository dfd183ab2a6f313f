package applier

import (
	"context"

	"github.com/binseal/binseal/internal/crashpoint"
)

// recoverySlack is how much larger than an epoch's bounds the recovery of one may become: another source of the
// same history may interleave other transactions with those of the epoch.
const recoverySlack = 3

// collectHalf reads whole transactions from the checkpoint until the end of the half-done epoch is covered, and
// hands them over as one strict, idempotent epoch. Before that nothing is written. It reports false when the
// channel was closed first: then the next run tries again.
func (a *Applier) collectHalf(ctx context.Context, in *intake, out chan<- item) (bool, error) {
	crashpoint.Reach(crashpoint.RecoverBegin)
	a.cfg.Logger.Info("finishing a half-done epoch", "from", a.cp.Pos.String(), "to", a.half.Pos.String())
	e := newEpoch()
	e.recovery = true
	gtids := a.gtids.Clone()
	for {
		t, err := in.next(ctx)
		if t == nil || err != nil {
			return false, err
		}
		if t.DDL != nil || !t.Whole() {
			return false, haltInRecovery(position(t.Start, t.GTID), "it contains a statement or an oversized transaction, which never share an epoch")
		}
		closes, err := a.prepare(ctx, e, t)
		if err != nil {
			return false, err
		}
		if closes || e.full(recoverySlack) {
			return false, haltInRecovery(position(t.Start, t.GTID), "its end is not where it was")
		}
		if err := a.merge(e, t); err != nil {
			return false, err
		}
		e.note(t)
		t.AddTo(&gtids)
		covered, err := a.half.Covered(a.cp.ByGTID, e.end, gtids)
		if err != nil {
			return false, err
		}
		if covered {
			a.half, a.planned = nil, e.planned
			return true, send(ctx, out, e)
		}
	}
}
