package applier

import (
	"hash/maphash"
	"time"

	"github.com/binseal/binseal/schema"
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
	seed       maphash.Seed
	young, old map[uint64]struct{} // A value is in one of them for spentFor to twice that.
	since      time.Time           // Of young.
	blindUntil time.Time           // Values may have been given up that are not known.
}

func newSpentValues() *spentValues {
	return &spentValues{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}, since: time.Now()}
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

// note adds values. Beyond the bound they are not kept, and has then says yes to all.
func (s *spentValues) note(values []uint64) {
	for _, v := range values {
		if len(s.young) < maxSpent {
			s.young[v] = struct{}{}
		}
	}
}

// has reports whether a value may have been given up lately.
func (s *spentValues) has(value uint64) bool {
	_, young := s.young[value]
	_, old := s.old[value]
	return young || old || len(s.young) >= maxSpent || len(s.old) >= maxSpent || time.Now().Before(s.blindUntil)
}

// uniqueValues are what the rows of one table give up and take in its secondary unique keys in an epoch, by hash.
type uniqueValues struct{ given, taken []uint64 }

// hash tells the values of different keys apart.
func (s *spentValues) hash(t *schema.Table, k *schema.Key, value []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, name := range []string{t.Schema, t.Name, k.Name} {
		_, _ = h.WriteString(name)
		_ = h.WriteByte(0)
	}
	_, _ = h.Write(value)
	return h.Sum64()
}

// crowded reports whether a value is taken that was given up, in this epoch or lately, and notes those given up.
func (s *spentValues) crowded(v uniqueValues) bool {
	s.age()
	reused := false
	if len(v.taken) > 0 {
		given := make(map[uint64]struct{}, len(v.given))
		for _, value := range v.given {
			given[value] = struct{}{}
		}
		for _, value := range v.taken {
			if _, ok := given[value]; ok || s.has(value) {
				reused = true
				break
			}
		}
	}
	s.note(v.given)
	return reused
}
