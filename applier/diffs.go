package applier

import (
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// diffsVerb names the expectation that JSON differences found in the row what they change.
const diffsVerb = "UPDATE of parts of a JSON document"

// diffsDone checks that the JSON differences of an update that has been written have all been applied: the update itself
// matches its row also where they do not fit the row's document. See rowimage/jsonset.go.
func (w *writer) diffsDone(l *rowimage.Layout, r *change.Row, t *schema.Table) error {
	return w.second(r, t, diffsVerb, l.AppendDiffsDone)
}
