package applier

import "github.com/binseal/binseal/change"

// Merged changes leave images behind that nobody needs: of a row that was updated a hundred times only the image before
// the first change and the one after the last. They lie in memory between images that are needed, so an epoch that would
// be full of them copies what it needs and lets the rest go. Then it takes further changes, of which more merge:
//
//	UPDATE 7: a → b, UPDATE 7: b → c, UPDATE 9: x → y    images a b b c x y, needed a c x y
//	compact                                              images a c x y; 7: a → c, 9: x → y

// compactAt leaves room below the bound for the transaction that comes next.
const compactAt = maxEpochBytes / 4 * 3

// needs estimates the memory of the images that are needed, in bytes: of one change for each row.
func (e *epoch) needs() int {
	if e.changes == 0 {
		return 0
	}
	return int(int64(e.taken) / int64(e.changes) * int64(e.rows))
}

// makeRoom compacts an epoch near its bound, when that is likely to free half of its memory; and when at least as much has
// come since the last time as was kept then, so that no more is copied than is read: rows that stay may be larger than those
// that merge, and the estimate knows their mean only.
func (e *epoch) makeRoom() {
	if e.bytes >= compactAt && e.needs() <= e.bytes/2 && e.bytes >= 2*e.kept {
		e.compact()
	}
}

// compact copies the images that are needed.
func (e *epoch) compact() {
	m := imageMemory{}
	for _, tc := range e.tables {
		for i := range tc.entries {
			c := &tc.entries[i]
			before, after := m.copy(c.before), m.copy(c.after)
			switch { // last is most often one of the two.
			case same(c.last, c.after):
				c.last = after
			case same(c.last, c.before):
				c.last = before
			default:
				c.last = m.copy(c.last)
			}
			c.before, c.after = before, after
		}
	}
	for i := range e.ordered {
		r := &e.ordered[i].Row
		r.Before, r.After = m.copy(r.Before), m.copy(r.After)
	}
	e.bytes, e.kept = m.used, m.used
}

// same reports whether two images are one piece of memory. Images are never empty: each has its null bits.
func same(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// imageMemory keeps images and counts them.
type imageMemory struct {
	keeper change.Keeper
	used   int // Bytes of all images.
}

// copy copies an image; nil stays nil.
func (m *imageMemory) copy(img []byte) []byte {
	if img == nil {
		return nil
	}
	m.used += len(img)
	return m.keeper.Keep(img, false)
}
