package applier

import (
	"hash/maphash"
	"time"
)

// A row that enters a secondary unique index is looked for there first. Where the index has no entry of its value, the
// row locks nothing but itself, and its neighbours may be written by other sessions. Where it has one that is marked as
// deleted and not purged yet, InnoDB locks that entry and the gaps around it until COMMIT, also under READ COMMITTED
// (row0ins.cc, row_ins_scan_sec_index_for_duplicate), and a session that inserts into these gaps waits across our commit
// barrier:
//
//	epoch 1: UPDATE t SET u='b' WHERE id=1   -- was 'a'; its entry stays for the purge
//	epoch 2: INSERT (2, 'a')  on session A   -- locks the gaps around 'a', waits for B to reach the barrier
//	         INSERT (3, 'aa') on session B   -- waits for A to commit
//
// So the rows of a table that enter or leave a unique index are divided among the sessions as long as none of them takes a
// value that a row has given up lately; else all of them travel on one session. What an earlier run has given up is not
// known: for a while the rule is the careful one.

const (
	// spentFor is how long a value counts as given up, at least. InnoDB purges within seconds, unless a reader of the target
	// holds an old snapshot; what is missed then costs a wait for locks, and the epoch is run again strict.
	spentFor = time.Minute
	// maxSpent bounds the memory: of values given up in spentFor; about 20 MiB for the two generations.
	maxSpent = 500_000
)

// spentValues remembers the unique values that were given up lately, by hash. Epochs must be planned in their order, one
// after the other, by whichever goroutine.
type spentValues struct {
	hash       func(value []byte) uint64
	young, old map[uint64]struct{} // A value is in one of them for spentFor to twice that.
	since      time.Time           // Of young.
	blindUntil time.Time           // Values may have been given up that are not known.
}

func newSpentValues() *spentValues {
	seed := maphash.MakeSeed()
	return &spentValues{hash: func(value []byte) uint64 { return maphash.Bytes(seed, value) }, young: map[uint64]struct{}{}, since: time.Now()}
}

// unknown says that values were given up of which nothing is known.
func (s *spentValues) unknown() { s.blindUntil = time.Now().Add(spentFor) }

// age forgets what was given up long ago.
func (s *spentValues) age() {
	now := time.Now()
	since := now.Sub(s.since)
	if since < spentFor {
		return
	}
	s.old, s.young, s.since = s.young, map[uint64]struct{}{}, now
	if since >= 2*spentFor {
		s.old = nil
	}
}

// movedValue is a value of a unique key that a row gives up or takes.
type movedValue struct {
	hash   uint64
	update int // The row of the update that does so; noRow for a delete or an insert.
}

const noRow = -1

// note adds values that were given up. Beyond the bound they are not kept, and the rule is the careful one.
func (s *spentValues) note(given []movedValue) {
	s.age()
	for _, v := range given {
		if len(s.young) < maxSpent {
			s.young[v.hash] = struct{}{}
		}
	}
}

// blind reports that any value may have been given up lately.
func (s *spentValues) blind() bool {
	s.age()
	return len(s.young) >= maxSpent || len(s.old) >= maxSpent || time.Now().Before(s.blindUntil)
}

// has reports whether a value was given up lately, as far as is known (see blind).
func (s *spentValues) has(value uint64) bool {
	_, young := s.young[value]
	_, old := s.old[value]
	return young || old
}
