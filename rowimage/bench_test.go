package rowimage

import (
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// benchTable is sysbench's table: id, k, c CHAR(120), pad CHAR(60); with a unique key over c.
func benchTable(b *testing.B) (l *Layout, h *change.RowsHeader, img []byte) {
	text := func(name string, bytes int) wireColumn {
		meta := uint16(typeString&^0x30|(bytes&0x300)>>4^0x30)<<8 | uint16(bytes&0xff)
		return wireColumn{typeString, meta, schema.Column{Name: name, DataType: "char", MaxBytes: int64(bytes), Charset: "utf8mb4", CollationID: utf8mb4AICI}}
	}
	m, table := tableOf(intColumn("id"), intColumn("k"), text("c", 480), text("pad", 240))
	table.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	table.Secondary = []*schema.Key{{Name: "c", Weighed: true, Parts: []schema.KeyPart{{Column: 2}}}}
	c := "08566691963-88624912351-16662227201-46648573979-64646226163-77505759394-75470094713-41097360717-15161106334-50535565977"
	img = image(int4(4711), int4(50123), long(c), short(c[:59]))
	present := allPresent(4)
	return mustBind(b, m, table), &change.RowsHeader{Table: m, Op: change.Update, PresentBefore: present, PresentAfter: present, Full: true}, img
}

func BenchmarkSplit(b *testing.B) {
	_, h, img := benchTable(b)
	var data []byte
	const rows = 20 // An event of the default 8 KiB.
	for range 2 * rows {
		data = append(data, img...)
	}
	var dst []change.Row
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var err error
		if dst, err = Split(h, data, dst[:0]); err != nil || len(dst) != rows {
			b.Fatal(len(dst), err)
		}
	}
}

// perRow runs an appender over one image and holds it to no allocation.
func perRow(b *testing.B, size int, f func(dst []byte) ([]byte, error)) {
	dst := make([]byte, 0, 4096)
	once := func() {
		if _, err := f(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, once); n != 0 {
		b.Fatalf("%v allocations per row", n)
	}
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		once()
	}
}

func BenchmarkAppendTuple(b *testing.B) {
	l, _, img := benchTable(b)
	perRow(b, len(img), func(dst []byte) ([]byte, error) { return l.AppendTuple(dst, img) })
}

func BenchmarkAppendSet(b *testing.B) {
	l, _, img := benchTable(b)
	after := append([]byte(nil), img...)
	after[1+4] ^= 1
	perRow(b, 2*len(img), func(dst []byte) ([]byte, error) {
		out, _, err := l.AppendSet(dst, img, after)
		return out, err
	})
}

func BenchmarkAppendKey(b *testing.B) {
	l, _, img := benchTable(b)
	for i, name := range []string{"int", "text"} {
		b.Run(name, func(b *testing.B) {
			perRow(b, len(img), func(dst []byte) ([]byte, error) {
				out, _, err := l.AppendKey(dst, img, l.Keys()[i])
				return out, err
			})
		})
	}
}
