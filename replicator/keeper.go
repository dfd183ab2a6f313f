package replicator

import "bytes"

// keeperChunk is how much memory the keeper takes at once; a few hundred small transactions.
const keeperChunk = 64 << 10

// keeper copies the bodies of row events out of the packet buffer into memory that neighbours share, so that an event
// costs no allocation of its own. A chunk lives as long as one body in it, so what is kept for long, or is large, gets
// memory of its own; the others are counted and given up together, with their epoch.
type keeper struct {
	chunk []byte
}

// keep copies a body. long: it is kept past its epoch (XA).
func (k *keeper) keep(body []byte, long bool) []byte {
	if long || len(body) > keeperChunk/4 {
		return bytes.Clone(body)
	}
	if len(body) > cap(k.chunk)-len(k.chunk) {
		k.chunk = make([]byte, 0, keeperChunk)
	}
	n := len(k.chunk)
	k.chunk = append(k.chunk, body...)
	return k.chunk[n:len(k.chunk):len(k.chunk)]
}

// mark and back give up all that was kept since: what a ROLLBACK TO SAVEPOINT drops must not stay behind, uncounted, in
// the chunk of a row before it.
func (k *keeper) mark() []byte { return k.chunk }

func (k *keeper) back(mark []byte) { k.chunk = mark }
