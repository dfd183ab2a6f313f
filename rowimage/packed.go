package rowimage

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Values of COMPRESSED columns of MariaDB come as they are stored. Layout (MariaDB, field.cc, compress_zlib and
// uncompress_zlib): nothing for the empty value; else a byte whose upper four bits are the method: 0 for bytes that follow
// as they are, 8 for zlib, with the length of the uncompressed size in the lowest three bits and bit 3 where the zlib
// header is left out; then that size, big-endian, and the compressed bytes.

// maxUnpacked bounds a value when it is unfolded: what a few bytes declare never takes more memory (invariant 7). It is the
// bound that a row of two images has.
const maxUnpacked = 65 << 20

var (
	errPacked      = errors.New("bytes that are no value of a COMPRESSED column")
	errPackedLarge = fmt.Errorf("value of a COMPRESSED column above %d MiB", maxUnpacked>>20)
)

// unpacked reports the type that a COMPRESSED column would have without; ok is false for all other types.
func unpacked(typ byte) (plain byte, ok bool) {
	switch typ {
	case typeBlobCompressed:
		return typeBlob, true
	case typeVarcharCompressed:
		return typeVarchar, true
	}
	return typ, false
}

// unpack gives the value of a COMPRESSED column.
func unpack(v []byte) ([]byte, error) {
	if len(v) == 0 {
		return v, nil
	}
	head, rest := v[0], v[1:]
	if head == 0 {
		return rest, nil
	}
	n := int(head & 7)
	if head>>4 != 8 || n < 1 || n > 4 || n > len(rest) {
		return nil, errPacked
	}
	size := bigEndian(rest[:n])
	if size > maxUnpacked {
		return nil, errPackedLarge
	}
	r := flate.NewReader(bytes.NewReader(rest[n:]))
	if head&8 == 0 {
		var err error
		if r, err = zlib.NewReader(bytes.NewReader(rest[n:])); err != nil {
			return nil, errPacked
		}
	}
	defer r.Close()
	var out bytes.Buffer
	if got, err := io.Copy(&out, io.LimitReader(r, int64(size)+1)); err != nil || uint64(got) != size {
		return nil, errPacked
	}
	return out.Bytes(), nil
}
