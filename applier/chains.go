package applier

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// chain finds the ordered changes of one table that left an image, by that image. A row of a table without any unique key is
// its values, so a change that takes an image goes on where an earlier one of the epoch has left the same one:
//
//	UPDATE a → b            UPDATE a → c, in the place of the first
//	INSERT x                nothing
//	UPDATE b → c            joined the first
//	DELETE x                undid the second
//
// Which of several rows with equal values is meant does not matter, and nothing that comes between can miss an image that is
// skipped: what takes that image joins the chain itself. This holds where a row has one image as long as it is not changed,
// where no other row forbids what a row becomes (unique keys), and where nothing changes rows unseen (cascades). See
// mayChain. Were it ever untrue, a statement would find no row; then the epoch is applied again without chains.
type chain struct {
	layout *rowimage.Layout
	hash   func([]byte) uint64
	left   map[uint64]int // By hash of an image: the last change that left it, in epoch.ordered.
}

func newChain(l *rowimage.Layout) *chain {
	seed := maphash.MakeSeed()
	return &chain{layout: l, hash: func(img []byte) uint64 { return maphash.Bytes(seed, img) }, left: map[uint64]int{}}
}

// mayChain reports whether whole changes of a table join.
func mayChain(t *schema.Table) bool {
	return t.Identity == nil && len(t.Secondary) == 0 && !t.Cascading &&
		// A value of the target's own would not see the values in the middle, from which it may be made.
		len(t.Added) == 0 &&
		!slices.ContainsFunc(t.Columns, func(c schema.Column) bool {
			// The binary form of a document depends on how it came about, a generated value on the session that reads it.
			return isJSON(c) || c.Generated != schema.NotGenerated
		})
}

func isJSON(c schema.Column) bool { return c.DataType == "json" }

// order puts a change into the epoch that keeps its place in the source's order, or, where joins says so, joins it with the
// one before it in its row's chain.
func (e *epoch) order(b *boundTable, r *change.Row, checks, joins bool) {
	if !joins || !b.chained || !r.Full {
		delete(e.chains, b) // It may take any row that was left: nothing joins across it.
		e.append(b, r, checks)
		return
	}
	c := e.chains[b]
	if c == nil || c.layout != b.layout {
		c = newChain(b.layout)
		e.chains[b] = c
	}
	at, ok := c.take(e.ordered, r.Before)
	if !ok {
		at = len(e.ordered)
		e.append(b, r, checks)
	} else {
		e.join(&e.ordered[at], r)
	}
	if r.After != nil {
		c.left[c.hash(r.After)] = at
	}
}

// append puts a change behind all others.
func (e *epoch) append(b *boundTable, r *change.Row, checks bool) {
	before := r.Before
	if b.chained { // Else both stay for as long.
		before = detached(before, r.After)
	}
	e.ordered = append(e.ordered, orderedRow{Row: change.Row{RowsHeader: r.RowsHeader, Before: e.images.keep(before), After: e.images.keep(r.After)}, layout: b.layout, checks: checks})
	e.rows++
}

// join lets first end as r does, which takes the row that first has left.
func (e *epoch) join(first *orderedRow, r *change.Row) {
	e.joined++
	switch {
	case r.Op == change.Update:
		first.After = e.images.replace(first.After, r.After)
	case first.Op == change.Update:
		e.images.drop(first.After)
		first.RowsHeader, first.After = r.RowsHeader, nil
	default:
		e.images.drop(first.After)
		*first = orderedRow{}
		e.undone++
	}
}

// take finds the change that left an image, which nothing else can join from now on.
func (c *chain) take(rows []orderedRow, img []byte) (at int, ok bool) {
	if img == nil {
		return 0, false
	}
	hash := c.hash(img)
	if at, ok = c.left[hash]; !ok || !bytes.Equal(rows[at].After, img) {
		return 0, false
	}
	delete(c.left, hash)
	return at, true
}

// inOrder are the ordered changes without those that were undone. The epoch takes no more of them.
func (e *epoch) inOrder() []orderedRow {
	e.chains = nil
	if e.undone > 0 {
		e.ordered = slices.DeleteFunc(e.ordered, func(r orderedRow) bool { return r.RowsHeader == nil })
		e.undone = 0
	}
	return e.ordered
}
