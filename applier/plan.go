package applier

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// verb is what a step does; the order of the constants is the order of execution within a table.
type verb uint8

const (
	deleteRows    verb = iota // Net deletes, and the first half of entangled rows.
	deleteTouched             // Recovery: whatever is there under the keys goes; the count proves nothing.
	updateRows
	insertRows
	keepOrder // Ordered rows, one by one.
)

func (v verb) String() string {
	return [...]string{"DELETE", "DELETE", "UPDATE", "INSERT", "ordered"}[v]
}

// step is a run of changes of one table that share a verb, sorted by key; or ordered rows.
type step struct {
	verb    verb
	table   *tableChanges
	rows    []*netChange
	ordered []orderedRow
}

// plan is an epoch's work, cut for the sessions.
type plan struct {
	leader    []step
	followers [][]step // Contiguous key ranges, disjoint from each other and from the leader's keys.
	rows      int      // Rows to write.
	// free: every row by its key alone, none that enters a unique index in which a value is used again; and there are sessions
	// for another epoch. See beside.
	free bool
}

// planEpoch turns net changes into sorted steps. With shards > 0 the rows that no other session can meet go to
// that many followers; everything else travels on the leader: ordered changes, and rows that enter or leave a
// secondary unique index in which a value is used again (unique.go): their checks take gap locks even under READ
// COMMITTED; and rows that have but a part of a value in their key, see prefixed. InnoDB cannot see a deadlock through our commit barrier, so nothing may wait across it. A free epoch takes
// half of the followers: the other half is for the epoch beside it.
func planEpoch(e *epoch, shards int, spent *spentValues) (*plan, error) {
	ordered := e.inOrder()
	p := &plan{free: shards != 1 && len(ordered) == 0}
	tables := slices.Clone(e.tables)
	slices.SortFunc(tables, func(a, b *tableChanges) int {
		return cmp.Or(cmp.Compare(a.def().Schema, b.def().Schema), cmp.Compare(a.def().Name, b.def().Name))
	})
	shared := make([]tableRows, 0, len(tables))
	for _, tc := range tables {
		rows, crowded, err := tc.sorted(spent)
		if err != nil {
			return nil, err
		}
		p.rows += len(rows)
		free, leads := tableRows{tc: tc}, shards > 0 && prefixed(tc.def())
		var own []*plannedRow
		for i := range rows {
			bound := leads || rows[i].unique && crowded
			p.free = p.free && !bound
			if shards > 0 && !bound {
				free.rows = append(free.rows, &rows[i])
			} else {
				own = append(own, &rows[i])
			}
		}
		p.leader = append(p.leader, stepsOf(tc, own)...)
		shared = append(shared, free)
	}
	if p.free {
		shards /= 2
	}
	p.followers = shard(shared, shards)
	if len(ordered) > 0 {
		p.leader = append(p.leader, step{verb: keepOrder, ordered: ordered})
		p.rows += len(ordered)
	}
	return p, nil
}

// prefixed reports that two rows with one key may still differ in the values that the key's columns hold: 'aaX' and 'aaY' under
// PRIMARY KEY (t(2)). Statements find rows by whole values, and the recovery of a half-done epoch does not know which of them a
// follower has left there. What the leader commits is there whole or not at all.
func prefixed(t *schema.Table) bool {
	return t.Identity != nil && !t.Identity.Whole()
}

// plannedRow is a net change with what planning found out about it.
type plannedRow struct {
	*netChange
	unique    bool // Enters or leaves a secondary unique index: in a crowded table it travels on the leader.
	entangled bool // Gives up a unique value that another update takes, or must be written anew: deleted first, inserted last.
}

// shares are the steps of each session, the leader's last.
func (p *plan) shares() [][]step { return append(slices.Clone(p.followers), p.leader) }

type tableRows struct {
	tc   *tableChanges
	rows []*plannedRow
}

// sorted lists the table's net changes in key order, without those that have nothing to do, and entangles them. crowded
// reports that rows which enter or leave a unique index must travel on one session.
func (tc *tableChanges) sorted(spent *spentValues) (rows []plannedRow, crowded bool, err error) {
	rows = make([]plannedRow, 0, len(tc.entries))
	for i := range tc.entries {
		if c := &tc.entries[i]; c.op() != 0 {
			rewrite, err := tc.rewrites(c)
			if err != nil {
				return nil, false, err
			}
			rows = append(rows, plannedRow{netChange: c, entangled: rewrite, unique: rewrite && len(tc.def().Secondary) > 0})
			crowded = crowded || rewrite // It takes the values that it gave up.
		}
	}
	slices.SortFunc(rows, func(a, b plannedRow) int { return cmp.Compare(a.key, b.key) })
	for _, k := range tc.def().Secondary {
		reused, err := tc.entangle(rows, k, spent)
		if err != nil {
			return nil, false, err
		}
		crowded = crowded || reused
	}
	return rows, crowded, nil
}

// rewrites reports whether a row must be deleted and inserted for its update. An UPDATE does nothing when all that it
// changes is a JSON document, to one that compares as equal (1 to 1.0). No source logs such an update, but merged ones can
// come to it.
func (tc *tableChanges) rewrites(c *netChange) (bool, error) {
	if !c.merged || !tc.json || c.op() != change.Update {
		return false, nil
	}
	ch, err := tc.layout.Changed(nil, c.before, c.after)
	return ch.Any && !ch.Beyond, err
}

// entangle finds the rows that meet on a value of the unique key k.
//
// Deletes run before updates and updates before inserts, so a value that a delete gives up is free in time, and so
// is one that an update gives up for an insert. Only update after update may collide:
//
//	UPDATE t SET u='x' WHERE id=1   -- was 'a'
//	UPDATE t SET u='a' WHERE id=2   -- was 'b'
//
// in either order of ids. Row 1 gives up 'a' and row 2 takes it: row 1 is deleted before all updates and inserted
// after them. Every value that an update takes is then free when it runs, also in cycles: of two rows that swap,
// both give and take, and both are deleted and inserted. crowded reports that a value is taken which was given up, in this
// epoch or lately (unique.go). Values are compared by their hashes of 64 bits: where two share one, rows are deleted and
// inserted, and a table travels on one session, without need.
func (tc *tableChanges) entangle(rows []plannedRow, k *schema.Key, spent *spentValues) (crowded bool, err error) {
	var given, taken []movedValue
	of := spent.hash([]byte(tc.def().Schema + "\x00" + tc.def().Name + "\x00" + k.Name)) // Tells the values of different keys apart.
	buf := make([]byte, 0, 64)
	for i := range rows {
		r := &rows[i]
		old, now, err := tc.valuesOf(&buf, r.netChange, k)
		if err != nil {
			return false, err
		}
		if moves, err := tc.moves(r.netChange, old, now, k); err != nil {
			return false, err
		} else if !moves {
			continue
		}
		r.unique = true
		update := noRow
		if r.op() == change.Update {
			update = i
		}
		if old != nil {
			given = append(given, movedValue{of ^ spent.hash(old), update})
		}
		if now != nil {
			taken = append(taken, movedValue{of ^ spent.hash(now), update})
		}
	}
	if len(taken) > 0 {
		givers := make(map[uint64]int, len(given))
		for _, v := range given {
			givers[v.hash] = v.update
		}
		crowded = spent.blind()
		if len(givers) < len(given) { // The values given up are distinct, their hashes are not: who takes which is not known.
			crowded = true
			for _, v := range given {
				if v.update != noRow {
					rows[v.update].entangled = true
				}
			}
		}
		for _, v := range taken {
			i, ok := givers[v.hash]
			if ok && i != noRow && v.update != noRow && i != v.update {
				rows[i].entangled = true
			}
			crowded = crowded || ok || spent.has(v.hash)
		}
	}
	spent.note(given)
	return crowded, nil
}

// moves reports whether a row enters or leaves the index of a unique key, of which it has the values old and now. 'a'
// becoming 'A' gives one entry up and takes another of the same value, and so does a primary key that is spelt anew, which
// is part of each entry.
func (tc *tableChanges) moves(c *netChange, old, now []byte, k *schema.Key) (bool, error) {
	switch {
	case c.op() != change.Update, (old == nil) != (now == nil), !bytes.Equal(old, now):
		return true, nil
	case old == nil:
		return false, nil
	}
	moves, err := tc.layout.Respelled(c.before, c.after, k)
	if err == nil && !moves {
		moves, err = tc.layout.Respelled(c.before, c.after, tc.def().Identity)
	}
	return moves, err
}

// valuesOf gives the value of a unique key in a row's images before and after, nil where there is no image or it is NULL.
// Both are valid until the next call with buf.
func (tc *tableChanges) valuesOf(buf *[]byte, c *netChange, k *schema.Key) (before, after []byte, err error) {
	b := (*buf)[:0]
	null := true
	if c.before != nil {
		if b, null, err = tc.layout.AppendKey(b, c.before, k); err != nil {
			return nil, nil, err
		}
	}
	n, none := len(b), null
	null = true
	if c.after != nil {
		if b, null, err = tc.layout.AppendKey(b, c.after, k); err != nil {
			return nil, nil, err
		}
	}
	*buf = b
	if !none {
		before = b[:n:n]
	}
	if !null {
		after = b[n:]
	}
	return before, after, nil
}

// stepsOf groups rows, sorted by key, into deletes, updates and inserts.
func stepsOf(tc *tableChanges, rows []*plannedRow) []step {
	var del, upd, ins []*netChange
	for _, r := range rows {
		switch op := r.op(); {
		case op == change.Delete:
			del = append(del, r.netChange)
		case op == change.Insert:
			ins = append(ins, r.netChange)
		case r.entangled:
			del = append(del, r.netChange)
			ins = append(ins, r.netChange)
		default:
			upd = append(upd, r.netChange)
		}
	}
	return nonEmpty(step{verb: deleteRows, table: tc, rows: del}, step{verb: updateRows, table: tc, rows: upd},
		step{verb: insertRows, table: tc, rows: ins})
}

func nonEmpty(steps ...step) []step {
	return slices.DeleteFunc(steps, func(s step) bool { return len(s.rows) == 0 })
}

// shard cuts the rows, by table and key, into n contiguous ranges of about the same weight. Empty ranges are left
// out, so fewer than n may come back.
func shard(tables []tableRows, n int) [][]step {
	const perRow = 64 // Bytes: the fixed cost of a row beside its image, so that many short rows weigh too.
	var total int
	for _, t := range tables {
		for _, r := range t.rows {
			total += perRow + len(r.last)
		}
	}
	if total == 0 || n == 0 {
		return nil
	}
	shards := make([][]step, n)
	var seen int
	for _, t := range tables {
		begin, at := 0, -1
		for i, r := range t.rows {
			if k := seen * n / total; k != at {
				if at >= 0 {
					shards[at] = append(shards[at], stepsOf(t.tc, t.rows[begin:i])...)
				}
				begin, at = i, k
			}
			seen += perRow + len(r.last)
		}
		if at >= 0 {
			shards[at] = append(shards[at], stepsOf(t.tc, t.rows[begin:])...)
		}
	}
	return slices.DeleteFunc(shards, func(s []step) bool { return len(s) == 0 })
}

// planRecovery writes a half-done epoch again, whatever part of it is there: every touched key is deleted, also
// those whose net change is nothing, and the final images are inserted. Ordered changes travelled with the leader,
// so they are certainly not there and run as always.
func planRecovery(e *epoch) *plan {
	p := &plan{rows: e.rows}
	for _, tc := range e.tables {
		var touched, final []*netChange
		for i := range tc.entries {
			touched = append(touched, &tc.entries[i])
			if tc.entries[i].after != nil {
				final = append(final, &tc.entries[i])
			}
		}
		byKey := func(a, b *netChange) int { return cmp.Compare(a.key, b.key) }
		slices.SortFunc(touched, byKey)
		slices.SortFunc(final, byKey)
		p.leader = append(p.leader, nonEmpty(step{verb: deleteTouched, table: tc, rows: touched}, step{verb: insertRows, table: tc, rows: final})...)
	}
	if ordered := e.inOrder(); len(ordered) > 0 {
		p.leader = append(p.leader, step{verb: keepOrder, ordered: ordered})
	}
	return p
}

// keyColumns names the columns of a table's identity, for messages; never their values.
func keyColumns(t *schema.Table) string {
	if t.Identity == nil {
		return "none"
	}
	s := ""
	for i, part := range t.Identity.Parts {
		if i > 0 {
			s += ", "
		}
		s += t.Columns[part.Column].Name
	}
	return fmt.Sprintf("%s (%s)", t.Identity.Name, s)
}
