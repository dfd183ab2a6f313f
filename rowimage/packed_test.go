package rowimage

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"testing"
)

// deflated packs a value as MariaDB stores it in a COMPRESSED column; the data case mariadb-columns-compressed has the
// server's own.
func deflated(t testing.TB, v []byte, size uint64, sizeBytes int, wrap bool) []byte {
	t.Helper()
	head := byte(8<<4 | sizeBytes)
	if !wrap {
		head |= 8
	}
	b := bytes.NewBuffer([]byte{head})
	for n := range sizeBytes {
		b.WriteByte(byte(size >> (8 * (sizeBytes - 1 - n))))
	}
	var w io.WriteCloser
	w, err := flate.NewWriter(b, flate.BestCompression)
	if wrap {
		w, err = zlib.NewWriter(b), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(v); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	long := bytes.Repeat([]byte("abc"), 1000)
	for name, c := range map[string]struct {
		packed, want []byte
		err          error
	}{
		"nothing":               {nil, nil, nil},
		"MariaDB's own":         {[]byte("\x8a\x02\x58\x4b\x4c\x4a\x4e\x1c\x45\xa3\x88\xda\x08\x00"), long[:600], nil},
		"as it is":              {[]byte("\x00abc"), []byte("abc"), nil},
		"deflated":              {deflated(t, long, 3000, 2, false), long, nil},
		"with a header":         {deflated(t, long, 3000, 4, true), long, nil},
		"another method":        {[]byte("\x10abc"), nil, errPacked},
		"no size":               {[]byte{0x88}, nil, errPacked},
		"five bytes of size":    {[]byte{0x8d, 1, 1, 1, 1, 1, 1}, nil, errPacked},
		"cut off in its size":   {[]byte{0x8c, 1, 1}, nil, errPacked},
		"less than declared":    {deflated(t, long, 3001, 2, false), nil, errPacked},
		"more than declared":    {deflated(t, long, 2999, 2, false), nil, errPacked},
		"4 GiB declared":        {deflated(t, long, 1<<32-1, 4, false), nil, errPackedLarge},
		"a damaged header":      {[]byte{0x81, 1, 0, 0, 0}, nil, errPacked},
		"damaged":               {[]byte{0x89, 3, 0xff, 0xff}, nil, errPacked},
		"nothing behind a size": {[]byte{0x89, 3}, nil, errPacked},
	} {
		got, err := unpack(c.packed)
		if !bytes.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %d bytes, %v; want %d, %v", name, len(got), err, len(c.want), c.err)
		}
	}
}

// FuzzUnpack: whatever the bytes are, they are unfolded within the bound, or refused.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x00abc"))
	f.Add(deflated(f, []byte("abcabc"), 6, 1, false))
	f.Add(deflated(f, []byte("abcabc"), 6, 1, true))
	f.Fuzz(func(t *testing.T, v []byte) {
		if got, err := unpack(v); err == nil && len(got) > maxUnpacked {
			t.Errorf("%d bytes", len(got))
		}
	})
}
