package change

import "bytes"

// KeeperChunk is how much memory a Keeper takes at once, in bytes; a few hundred small transactions.
const KeeperChunk = 64 << 10

// Keeper copies bodies of rows into memory that neighbours share, so that a row costs no allocation of its own. A chunk
// lives as long as one body in it, so what is kept for long, or is large, gets memory of its own; the others are counted and
// given up together, with their epoch. The zero value is ready; not for concurrent use.
type Keeper struct {
	chunk []byte
}

// Keep copies a body. long: it is kept past its epoch (XA).
func (k *Keeper) Keep(body []byte, long bool) []byte {
	if long || len(body) > KeeperChunk/4 {
		return bytes.Clone(body)
	}
	if len(body) > cap(k.chunk)-len(k.chunk) {
		k.chunk = make([]byte, 0, KeeperChunk)
	}
	n := len(k.chunk)
	k.chunk = append(k.chunk, body...)
	return k.chunk[n:len(k.chunk):len(k.chunk)]
}

// Mark and Back give up all that was kept since: what a ROLLBACK TO SAVEPOINT drops must not stay behind, uncounted, in
// the chunk of a row before it.
func (k *Keeper) Mark() []byte { return k.chunk }

// Back gives up what was kept since mark.
func (k *Keeper) Back(mark []byte) { k.chunk = mark }
