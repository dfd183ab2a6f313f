package applier

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// epoch is a run of whole source transactions as net changes.
//
// Worked example, table t(id PRIMARY KEY, v), four row changes of three transactions:
//
//	T1: insert (7, a)            → 7: not there before, now (7, a)
//	T2: update (7, a) → (7, b)   → 7: not there before, now (7, b)
//	T2: update (5, x) → (6, x)   → 5: was (5, x), now gone; 6: not there before, now (6, x)
//	T3: delete (7, b)            → 7: not there before, now gone: touched, but nothing to write
//
// Net: DELETE 5, INSERT 6. Row 7 stays in the index: the recovery of a half-done epoch deletes every touched key.
type epoch struct {
	tables  []*tableChanges
	byTable map[*boundTable]*tableChanges
	ordered []orderedRow

	orderedTables map[*boundTable]bool   // Tables whose class is Ordered in this epoch.
	chains        map[*boundTable]*chain // Of those whose rows are followed.
	joined        int                    // Changes that joined one before them,
	undone        int                    // and places in ordered that came to nothing by it.

	recovery bool // Part of it may be on the target already.

	plan    *plan         // When the collector had the time to make it; else the executor does.
	planned chan struct{} // Closed behind that.

	first, end   change.Position
	gtids        change.GTIDSet   // Of the epoch's transactions.
	undecided    change.Undecided // Behind the epoch.
	commitTime   time.Time
	begun        time.Time       // When its first transaction came.
	evidence     change.Evidence // Of the last of them that shows any.
	transactions int
	changes      int // Row changes received.
	rows         int // Net rows and ordered rows.
	images       imageMemory
	bytes        int // Memory held by images.
	taken        int // The same of all changes received, also of those that merged.
	logBytes     uint64
}

// tableChanges are the net changes of one table.
type tableChanges struct {
	table   *boundTable
	layout  *rowimage.Layout
	images  *imageMemory     // The epoch's.
	json    bool             // boundTable.json
	index   *keyIndex        // Into entries. While the epoch is collected.
	keys    *strings.Builder // Holds the bytes of the latest keys, so that a row costs no allocation of its own.
	entries []netChange
}

// def is the table as the images' columns arrange it. Not boundTable.def: that follows the source, while the epoch is
// executed.
func (tc *tableChanges) def() *schema.Table { return tc.layout.Table() }

// netChange is what an epoch does to one key.
type netChange struct {
	key    string
	before []byte // Image before the epoch; nil when the row was not there.
	after  []byte // Image after the epoch; nil when the row is gone.
	last   []byte // An image with the key's values, also when neither of the others is left.
	merged bool   // More than one change of the source went into it.
}

// held is an image of the row with the key as the target has it.
func (c *netChange) held() []byte {
	if c.before != nil {
		return c.before
	}
	return c.last
}

// op is the net operation; 0 when nothing is to be done.
func (c *netChange) op() change.Op {
	switch {
	case c.before == nil && c.after == nil:
		return 0
	case c.before == nil:
		return change.Insert
	case c.after == nil:
		return change.Delete
	default:
		return change.Update
	}
}

// orderedRow is a change that keeps its place in the source's order, or a run of such changes of one row (chain).
type orderedRow struct {
	change.Row
	layout *rowimage.Layout
	checks bool // Run with foreign_key_checks=1: the source left cascades to its replica.
}

// orderedOverhead is the memory of an ordered row beside its images, in bytes: with its place in a chain.
const orderedOverhead = int(unsafe.Sizeof(orderedRow{})) + 32

// boundTable is a target table and the layout of its row images as the source last described them. It belongs to the
// collector.
type boundTable struct {
	def    *schema.Table // As the images' columns arrange it: layout.Table().
	source *change.TableMap
	layout *rowimage.Layout
	json   bool // Has a column of type JSON.

	chained bool // mayChain

	partial bool // The source has sent partial images of it.

	index *keyIndex // Of the tableChanges of the epoch that is being collected.
	room  int       // The most entries that index has had.
}

// freshIndex is an empty index for the next epoch, and how many entries the last one had. Only the collector uses it, of
// one epoch at a time, so one map serves all, as long as it is not much too large: to clear it costs its whole size.
func (b *boundTable) freshIndex() (index *keyIndex, last int) {
	counts := b.layout.IdentityCounts()
	if b.index != nil {
		last = b.index.size()
	}
	if b.index == nil || b.index.counts != counts || b.room > 1024 && last < b.room/8 {
		b.index, b.room = newKeyIndex(counts), 0
	}
	b.room = max(b.room, last)
	b.index.clear()
	return b.index, last
}

func newEpoch() *epoch {
	return &epoch{byTable: map[*boundTable]*tableChanges{}, orderedTables: map[*boundTable]bool{}, chains: map[*boundTable]*chain{}, planned: make(chan struct{})}
}

func (e *epoch) empty() bool { return e.transactions == 0 }

// full reports whether the epoch has reached times its bounds.
func (e *epoch) full(times int) bool {
	return e.rows >= times*maxEpochRows || e.bytes >= times*maxEpochBytes || e.taken >= times*maxEpochTaken
}

// full reports whether an epoch has reached the bounds of this run.
func (a *Applier) full(e *epoch) bool { return e.rows >= a.epochRows() || e.full(1) }

func (a *Applier) epochRows() int { return cmp.Or(a.cfg.EpochRows, maxEpochRows) }

// prepare binds the tables of a transaction, and marks those that keep their order. It reports closes when the
// transaction cannot join the epoch: a table's class is fixed within an epoch, and this one would change from
// merged to ordered.
func (a *Applier) prepare(ctx context.Context, cur *epoch, t *change.Txn) (closes bool, err error) {
	var last *change.RowsHeader
	for i := range t.Rows {
		h := t.Rows[i].RowsHeader
		if h == last {
			continue
		}
		last = h
		b, err := a.bind(ctx, h.Table, t)
		if err != nil {
			return false, err
		}
		if tc := cur.byTable[b]; tc != nil && tc.layout != b.layout {
			return true, nil // Described differently, without a DDL: images of two layouts do not merge.
		}
		if !h.Full {
			if err := a.takePartial(b, h, t); err != nil {
				return false, err
			}
		}
		ordered, checks := classOf(b, h)
		if checks {
			if err := a.mayCascade(b, h); err != nil {
				return false, at(err, t)
			}
		}
		if ordered && !cur.orderedTables[b] {
			if cur.byTable[b] != nil {
				return true, nil
			}
			cur.orderedTables[b] = true
		}
	}
	return false, nil
}

// bind finds the target table of a TABLE_MAP and checks that its images fit. The layout is kept until the source
// describes the table differently or a DDL has run.
func (a *Applier) bind(ctx context.Context, m *change.TableMap, t *change.Txn) (*boundTable, error) {
	if b := a.bySource[m]; b != nil && b.source == m {
		return b, nil
	}
	name := schema.Name{Schema: m.Schema, Table: m.Table}
	b := a.tables[name]
	if b != nil && (b.source == m || b.layout.Fits(m)) {
		a.sent(b, m)
		return b, nil
	}
	layout, err := a.lookUp(ctx, name, m)
	if err != nil {
		return nil, at(err, t)
	}
	def := layout.Table()
	if b == nil {
		b = &boundTable{}
		a.tables[name] = b
	}
	if def.Class == schema.Ordered && (b.def == nil || b.def.OrderedWhy != def.OrderedWhy) {
		a.cfg.Observer.TableOrdered(def.String(), def.OrderedWhy)
	}
	b.def, b.layout, b.chained = def, layout, mayChain(def)
	b.json = slices.ContainsFunc(def.Columns, isJSON)
	a.sent(b, m)
	return b, nil
}

// maxBySource bounds what is known of TABLE_MAPs that the source no longer sends.
const maxBySource = 4096

// sent notes m as the last description of a table by the source.
func (a *Applier) sent(b *boundTable, m *change.TableMap) {
	if len(a.bySource) >= maxBySource {
		clear(a.bySource)
	}
	b.source, a.bySource[m] = m, b
}

// lookUp finds the layout of a table's images in the target table of its name.
func (a *Applier) lookUp(ctx context.Context, name schema.Name, m *change.TableMap) (*rowimage.Layout, error) {
	if err := a.cfg.Routes.Clash(name, a.cfg.Filter); err != nil {
		return nil, err
	}
	target := a.cfg.Routes.Table(name)
	def, err := a.catalog.Table(ctx, target.Schema, target.Table)
	if err != nil {
		return nil, routedFrom(name, target, err)
	}
	if err := usable(def); err != nil {
		return nil, routedFrom(name, target, err)
	}
	layout, err := rowimage.Bind(m, def)
	if err == nil {
		err = a.stillNamed(name, m, layout.Table() != def)
	}
	if err != nil {
		return nil, routedFrom(name, target, err)
	}
	return layout, nil
}

// usable refuses tables on which applied rows would not end as on the source.
func usable(def *schema.Table) error {
	if def.Engine != "InnoDB" {
		return &change.Fault{Code: "BS-ENGINE", Class: change.ClassPerson, Where: def.String(),
			What: "the target table's engine is " + def.Engine + "; rows and checkpoint could not roll back together",
			Next: "ALTER TABLE " + def.QuotedName() + " ENGINE=InnoDB on the target, then start again"}
	}
	if len(def.Triggers) > 0 {
		return &change.Fault{Code: codeTrigger, Class: change.ClassPerson, Where: def.String(),
			What: fmt.Sprintf("the target table has %d triggers, which would fire again for applied rows", len(def.Triggers)),
			Next: "drop the triggers on the target until cutover, then start again"}
	}
	return nil
}

// classOf decides, by event, whether the rows of h keep their order, and whether foreign keys are checked. Partial
// images keep their order: any session of the source may set binlog_row_image at any time.
// A source before 9.6 does not log cascades: it expects its replica's InnoDB to cascade (flag 0x10 absent).
func classOf(b *boundTable, h *change.RowsHeader) (ordered, checks bool) {
	if b.def.Cascading && h.Flags&change.FlagSQLForeignKeys == 0 {
		return true, h.Flags&change.FlagNoForeignKeyChecks == 0
	}
	return b.def.Class == schema.Ordered || !h.Full, false
}

// takePartial checks that rows with partial images can be written. They have no whole row to merge with: the table
// keeps its order for the rest of the epoch, also in rows that are whole.
func (a *Applier) takePartial(b *boundTable, h *change.RowsHeader, t *change.Txn) error {
	if err := b.layout.CheckPartial(h); err != nil {
		return at(err, t)
	}
	if !b.partial && b.def.Class != schema.Ordered {
		a.cfg.Observer.TableOrdered(b.def.String(), "partial row images (binlog_row_image), in the epochs that have them")
	}
	b.partial = true
	return nil
}

// merge puts every row of a prepared transaction, or of a part of one, into the epoch.
func (a *Applier) merge(e *epoch, t *change.Txn) error {
	var last *change.RowsHeader
	var b *boundTable
	var tc *tableChanges
	var checks bool
	joins := a.mayJoin(e, t)
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.RowsHeader != last {
			if b = a.bySource[r.Table]; b == nil {
				b = a.tables[schema.Name{Schema: r.Table.Schema, Table: r.Table.Table}]
			}
			_, checks = classOf(b, r.RowsHeader)
			last, tc = r.RowsHeader, nil
			if !e.orderedTables[b] {
				tc = e.changesOf(b)
			}
		}
		if tc == nil {
			e.order(b, r, checks, joins)
			continue
		}
		before := len(tc.entries)
		var err error
		if a.key, err = tc.add(r, a.key); err != nil {
			return at(err, t)
		}
		e.rows += len(tc.entries) - before
	}
	e.changes += len(t.Rows)
	e.bytes = e.images.used + len(e.ordered)*orderedOverhead
	e.taken += t.Bytes
	return nil
}

// mayJoin reports whether the ordered changes of t may join those before it. Where an epoch is applied for exactness, one by
// one, or where nothing can be tried again without, they do not.
func (a *Applier) mayJoin(e *epoch, t *change.Txn) bool {
	first := e.first
	if e.empty() {
		first = t.Start
	}
	return t.Whole() && !e.recovery && !a.cfg.Careful.reaches(first)
}

func (e *epoch) changesOf(b *boundTable) *tableChanges {
	tc := e.byTable[b]
	if tc == nil {
		index, last := b.freshIndex()
		tc = &tableChanges{table: b, layout: b.layout, images: &e.images, json: b.json, index: index, entries: make([]netChange, 0, last)}
		e.byTable[b] = tc
		e.tables = append(e.tables, tc)
	}
	return tc
}

// add merges one row change. buf is scratch for keys and is returned for the next call.
func (tc *tableChanges) add(r *change.Row, buf []byte) ([]byte, error) {
	img := r.Before
	if r.Op == change.Insert {
		img = r.After
	}
	buf, err := tc.appendKey(buf[:0], img)
	if err != nil {
		return buf, err
	}
	switch r.Op {
	case change.Insert:
		return buf, tc.put(buf, r.After)
	case change.Delete:
		return buf, tc.remove(buf, r.Before)
	}
	n := len(buf)
	moved, err := tc.layout.Respelled(r.Before, r.After, tc.def().Identity)
	if err == nil && moved { // Else to weigh the key again would give the same bytes.
		buf, err = tc.appendKey(buf, r.After)
	}
	if err != nil {
		return buf, err
	}
	before := detached(r.Before, r.After)
	if !moved || bytes.Equal(buf[:n], buf[n:]) {
		return buf, tc.replace(buf[:n], before, r.After)
	}
	// An update that changes the key is a delete of the old row and an insert of the new one.
	if err := tc.remove(buf[:n], before); err != nil {
		return buf, err
	}
	return buf, tc.put(buf[n:], r.After)
}

func (tc *tableChanges) appendKey(buf, img []byte) ([]byte, error) {
	buf, null, err := tc.layout.AppendKey(buf, img, tc.def().Identity)
	if err == nil && null {
		err = &change.Fault{Code: "BS-SCHEMA-MISMATCH", Class: change.ClassPerson, Where: tc.def().String(),
			What: "a row has NULL in a column of its key",
			Next: "the source's column is nullable and the target's is not: make the definitions equal, then start again"}
	}
	return buf, err
}

func (tc *tableChanges) put(key, img []byte) error {
	i, ok := tc.index.get(key)
	if !ok {
		img = tc.images.keep(img)
		tc.enter(netChange{after: img, last: img}, key)
		return nil
	}
	c := &tc.entries[i]
	if c.after != nil {
		return tc.contradiction("inserts a key that is there")
	}
	if same(c.last, c.before) {
		c.after = tc.images.keep(img)
	} else {
		c.after = tc.images.replace(c.last, img)
	}
	c.last, c.merged = c.after, true
	return nil
}

func (tc *tableChanges) replace(key, before, after []byte) error {
	i, ok := tc.index.get(key)
	if !ok {
		before, after = tc.images.keep(before), tc.images.keep(after)
		tc.enter(netChange{before: before, after: after, last: after}, key)
		return nil
	}
	c := &tc.entries[i]
	if c.after == nil {
		return tc.contradiction("updates a row that is gone")
	}
	c.after = tc.images.replace(c.after, after)
	c.last, c.merged = c.after, true
	return nil
}

func (tc *tableChanges) remove(key, before []byte) error {
	i, ok := tc.index.get(key)
	if !ok {
		before = tc.images.keep(before)
		tc.enter(netChange{before: before, last: before}, key)
		return nil
	}
	c := &tc.entries[i]
	if c.after == nil {
		return tc.contradiction("deletes a row that is gone")
	}
	c.after, c.last = nil, c.after // What is deleted is what the change before has left.
	return nil
}

func (tc *tableChanges) enter(c netChange, key []byte) {
	c.key = tc.kept(key)
	tc.index.set(c.key, len(tc.entries))
	tc.entries = append(tc.entries, c)
}

// minKeyChunk and maxKeyChunk bound how much memory the keys of an epoch take at once; each piece is twice the last.
const minKeyChunk, maxKeyChunk = 256, 16 << 10

// kept copies a key into memory that it shares with its neighbours.
func (tc *tableChanges) kept(key []byte) string {
	if tc.keys == nil || tc.keys.Cap()-tc.keys.Len() < len(key) {
		size := minKeyChunk
		if tc.keys != nil {
			size = min(2*tc.keys.Cap(), maxKeyChunk)
		}
		tc.keys = &strings.Builder{}
		tc.keys.Grow(max(size, len(key)))
	}
	begin := tc.keys.Len()
	tc.keys.Write(key)
	return tc.keys.String()[begin:]
}

// contradiction: the log does to a key what its history does not allow. Either the log is damaged, or two keys that
// differ on the server were taken for one.
func (tc *tableChanges) contradiction(what string) error {
	return &change.Fault{Code: "BS-LOG-CONTRADICTION", Class: change.ClassPerson, Where: tc.def().String(),
		What: "the source's log " + what + " (key " + keyColumns(tc.def()) + ")",
		Next: "report this with the table's definition; to go on, exclude the table or load it again"}
}
