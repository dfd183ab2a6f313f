package applier

import (
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// proofVerb names the expectation of a proof: where it finds no row, the target has computed a generated column to another
// value than the source.
const proofVerb = "proof of a generated column"

// prove follows the write of a row with a statement that finds it only if its stored generated columns are what the
// source has stored: see rowimage/proof.go. Tables without such columns need none.
func (w *writer) prove(l *rowimage.Layout, r *change.Row, t *schema.Table) error {
	if !l.NeedsProof() {
		return nil
	}
	return w.second(r, t, proofVerb, l.AppendProof)
}

// proveAll does it for inserted rows with full images.
func (w *writer) proveAll(l *rowimage.Layout, rows []*netChange, t *schema.Table) error {
	if !l.NeedsProof() {
		return nil
	}
	for _, c := range rows {
		if err := w.prove(l, wholeRow(c.after), t); err != nil {
			return err
		}
	}
	return nil
}

// generatedElsewise: a generated column is not what the source has stored.
func generatedElsewise(e *epoch, m *mismatch) error {
	return &change.Fault{Code: "BS-GENERATED-SESSION", Class: change.ClassPerson, Where: e.span() + ": " + m.table.String(),
		What: "the target computes a generated column to another value than the source has stored: the session that wrote the row, or that had opened the table, had other settings (sql_mode, div_precision_increment, lc_time_names …), or the source is MariaDB, which computes some functions otherwise",
		Next: "on the target alone make it a column that is not generated, and drop it again after cutover; or let the source's sessions have MySQL's defaults, compute the rows anew there and skip this transaction; or exclude the table"}
}
