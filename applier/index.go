package applier

// keyIndex finds the entry of an identity key (rowimage.AppendKey). The bytes of a key that is one integer are a number of a
// fixed width: as numbers they lie in the map itself, so that a look at it goes to one place in memory less.
type keyIndex struct {
	counts  bool // Keys are numbers (rowimage.Layout.IdentityCounts).
	numbers map[uint64]int
	texts   map[string]int
}

func newKeyIndex(counts bool) *keyIndex {
	if counts {
		return &keyIndex{counts: true, numbers: map[uint64]int{}}
	}
	return &keyIndex{texts: map[string]int{}}
}

func (x *keyIndex) get(key []byte) (i int, ok bool) {
	if x.counts {
		i, ok = x.numbers[keyNumber(key)]
	} else {
		i, ok = x.texts[string(key)]
	}
	return i, ok
}

// set enters a key that is not there.
func (x *keyIndex) set(key string, i int) {
	if x.counts {
		x.numbers[keyNumber(key)] = i
	} else {
		x.texts[key] = i
	}
}

func (x *keyIndex) size() int { return len(x.numbers) + len(x.texts) }

func (x *keyIndex) clear() {
	clear(x.numbers)
	clear(x.texts)
}

// keyNumber is a big-endian number of 1 to 8 bytes.
func keyNumber[K string | []byte](key K) (n uint64) {
	for i := range len(key) {
		n = n<<8 | uint64(key[i])
	}
	return n
}
