package applier

import (
	"context"
	"fmt"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

const codeTrigger = "BS-TRIGGER"

// triggersEvery is how often the target is asked for triggers. A table's definition is read once in a run, and a trigger that
// somebody makes behind that would do its work for each applied row, unseen.
const triggersEvery = 10 * time.Second

// watchTriggers ends the run when a table that it writes has got a trigger on the target, or when the target cannot be asked. It
// returns when ctx ends.
func (a *Applier) watchTriggers(ctx context.Context) {
	tick := time.NewTicker(triggersEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := time.Now()
		found, err := a.catalog.Triggered(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.cfg.End(mysqlconn.Describe("target", "look for triggers", err))
			return
		case len(found) > 0:
			a.cfg.End(lateTrigger(found[0], last))
			return
		}
		last = begun
	}
}

// lateTrigger is the fault of a trigger that was not there at last.
func lateTrigger(n schema.Name, last time.Time) error {
	return &change.Fault{Code: codeTrigger, Class: change.ClassPerson, Where: n.String(),
		What: fmt.Sprintf("a trigger was made on the target table while the stream writes to it; since %s it may have fired for applied rows", last.UTC().Format(time.RFC3339)),
		Next: "drop the table's triggers on the target until cutover, undo what they have done since, then start again"}
}
