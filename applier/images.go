package applier

import (
	"bytes"

	"github.com/binseal/binseal/change"
)

// imageMemory keeps the images that an epoch needs. The reader's are given back as soon as they are merged, and of a row that is
// updated a hundred times only the image before the first change and the one after the last are needed:
//
//	UPDATE 7: a → b    a and b are copied
//	UPDATE 7: b → c    c is written over b
//
// Images are small most often, so they share memory, and what is written over must have room there; an image that has grown
// is copied anew. Large ones are not lent: those of a row that is new to the epoch stay where they are, with all of their
// event, of which they are most. The zero value is ready.
type imageMemory struct {
	chunk []byte
	used  int // Bytes of all images, also of those that have grown and lie elsewhere now.
}

// minImageChunk and maxImageChunk bound how much memory is taken at once, in bytes; each piece is twice the last.
const minImageChunk, maxImageChunk = 1 << 10, 64 << 10

// keep gives an image that stays; nil stays nil.
func (m *imageMemory) keep(img []byte) []byte {
	if img == nil {
		return nil
	}
	m.used += len(img)
	if len(img) > change.LentImage {
		return img
	}
	if len(img) > cap(m.chunk)-len(m.chunk) {
		m.chunk = make([]byte, 0, max(len(img), min(max(minImageChunk, 2*cap(m.chunk)), maxImageChunk)))
	}
	n := len(m.chunk)
	m.chunk = append(m.chunk, img...)
	return m.chunk[n:len(m.chunk):len(m.chunk)]
}

// replace is keep where old, which was kept, is needed no more.
func (m *imageMemory) replace(old, img []byte) []byte {
	if cap(old) > change.LentImage { // It is nobody's any more.
		m.used -= len(old)
	} else if len(img) <= cap(old) {
		return append(old[:0], img...)
	}
	if len(img) > change.LentImage { // Its event holds the image before it too, which nobody needs.
		img = bytes.Clone(img)
	}
	return m.keep(img)
}

// detached is the image before an update, which stays while what replaces it may be replaced itself: a large one would keep the
// larger one that lies in the same event for as long.
func detached(before, after []byte) []byte {
	if len(before) > change.LentImage && len(after) > len(before) {
		return bytes.Clone(before)
	}
	return before
}

// drop gives up an image that was kept. A small one lies in memory that others share.
func (m *imageMemory) drop(old []byte) {
	if cap(old) > change.LentImage {
		m.used -= len(old)
	}
}

// same reports whether two images are one piece of memory. Images are never empty: each has its null bits.
func same(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }
