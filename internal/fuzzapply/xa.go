package fuzzapply

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// branch is an XA transaction that is prepared and not decided. It holds the locks of its rows: what else wants them
// waits for innodb_lock_wait_timeout, a second, and is refused.
type branch struct {
	name    string
	session int
	tables  []*table // Those that it changes, mostly.
}

// xa draws an XA transaction of a session: decided at once, or left prepared for a later unit, of any session.
func (w *writer) xa(session int) []Statement {
	w.branches++
	name := fmt.Sprintf(rapid.SampledFrom([]string{"'x%d'", "'x%d','b'", "'x%d','',7", "0x0027%02d"}).Draw(w.t, "name"), w.branches)
	b := branch{name: name, session: session, tables: w.free()}
	all := append([]Statement{{session, "XA START " + name}}, w.body(session)...)
	all = append(all, Statement{session, "XA END " + name})
	switch how := rapid.IntRange(0, 7).Draw(w.t, "outcome"); how {
	case 0:
		return append(all, Statement{session, "XA COMMIT " + name + " ONE PHASE"})
	case 1:
		return append(all, Statement{session, "XA ROLLBACK " + name})
	default:
		all = append(all, Statement{session, "XA PREPARE " + name})
		w.prepared = append(w.prepared, b)
		if how <= 5 {
			all = append(all, w.decide(session))
		}
	}
	return all
}

// decide draws the outcome of a prepared XA transaction.
func (w *writer) decide(session int) Statement {
	at := rapid.IntRange(0, len(w.prepared)-1).Draw(w.t, "decided")
	b := w.prepared[at]
	w.prepared, w.decided = slices.Delete(w.prepared, at, at+1), append(w.decided, b.name)
	outcome := rapid.SampledFrom([]string{"XA COMMIT ", "XA COMMIT ", "XA ROLLBACK "}).Draw(w.t, "outcome")
	if rapid.Bool().Draw(w.t, "own") {
		session = b.session
	}
	return Statement{session, outcome + b.name}
}

// decideAll decides what is left, since an XA transaction outlives its session and would block the next case: also those
// whose outcome a unit before has drawn, for a session that may have been in no state to say it (its own XA transaction
// was rolled back by a deadlock). It does so on a session of its own; most of these statements are errors.
func (w *writer) decideAll(t *rapid.T) []Statement {
	w.t = t
	fresh := w.sessions + 1
	var all []Statement
	for _, b := range w.prepared {
		outcome := rapid.SampledFrom([]string{"XA COMMIT ", "XA ROLLBACK "}).Draw(t, "last outcome")
		all = append(all, Statement{fresh, outcome + b.name})
	}
	for _, name := range w.decided {
		all = append(all, Statement{fresh, "XA ROLLBACK " + name})
	}
	w.prepared, w.decided = nil, nil
	return all
}

// free are the tables that a statement may change: those without locks of a prepared XA transaction, mostly; where each
// has some, or at times, all.
func (w *writer) free() []*table {
	all := w.tables
	if w.only != nil {
		all = w.only
	}
	free := slices.DeleteFunc(slices.Clone(all), func(b *table) bool {
		return slices.ContainsFunc(w.prepared, func(p branch) bool { return slices.Contains(p.tables, b) })
	})
	if len(free) == 0 || len(free) < len(all) && rapid.IntRange(0, 9).Draw(w.t, "locked") == 0 {
		return all
	}
	return free
}
