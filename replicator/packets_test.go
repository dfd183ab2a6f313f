package replicator

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
)

// wirePackets cuts a payload as a server does, from sequence number seq on.
func wirePackets(seq byte, payload []byte) []byte {
	var out []byte
	for {
		n := min(len(payload), mysql.MaxPayloadLen)
		out = append(append(out, byte(n), byte(n>>8), byte(n>>16), seq), payload[:n]...)
		payload, seq = payload[n:], seq+1
		if n < mysql.MaxPayloadLen {
			return out
		}
	}
}

// eventOf is a packet with an event of a type whose header says it is so long.
func eventOf(typ byte, size, declared int) []byte {
	data := append([]byte{mysql.OK_HEADER}, raw(typ, 0, 0, make([]byte, size-headerSize), false)...)
	copy(data[1+9:], le(uint64(declared), 4))
	return data
}

func TestPacketsComeAsTheyWereSent(t *testing.T) {
	sizes := []int{20, 1, 300, packetBufferSize - 5, packetBufferSize - 4, packetBufferSize, packetBufferSize + 1, 40, 1 << 20, 19, mysql.MaxPayloadLen - 1, mysql.MaxPayloadLen, mysql.MaxPayloadLen + 1, 2*mysql.MaxPayloadLen + 70, 33}
	var wire []byte
	var sent [][]byte
	seq := byte(250) // It wraps.
	for _, n := range sizes {
		data := bytes.Repeat([]byte{byte(n)}, n)
		if n > packetHead {
			data = eventOf(typeRowsQuery, n-1, n-1)
		}
		part := wirePackets(seq, data)
		seq += byte(1 + len(data)/mysql.MaxPayloadLen)
		wire, sent = append(wire, part...), append(sent, data)
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(wire), "halves": iotest.HalfReader(bytes.NewReader(wire)), "with the error at the end": iotest.DataErrReader(bytes.NewReader(wire)),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPackets(r, 250, 64<<20)
			for i, want := range sent {
				got, lent, err := p.next()
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("packet %d of %d bytes: %d bytes, %v", i, len(want), len(got), err)
				}
				if !lent && cap(got) != len(want) {
					t.Errorf("packet %d of %d bytes is in memory of %d", i, len(want), cap(got))
				}
			}
			if _, _, err := p.next(); !errors.Is(err, io.EOF) {
				t.Errorf("behind the last packet: %v", err)
			}
		})
	}
}

func TestPacketsAreBounded(t *testing.T) {
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		data  []byte
		limit int
		over  bool
	}{
		"within the bound":                       {eventOf(typeRowsQuery, mib, mib), mib + 1, false},
		"above the bound":                        {eventOf(typeRowsQuery, mib, mib), mib, true},
		"an insert has half the bound":           {eventOf(typeWriteRows, mib, mib), 2*mib + 1, true},
		"small, and above the bound":             {eventOf(typeRowsQuery, 1000, 1000), 1000, true},
		"several packets within the bound":       {eventOf(typeRowsQuery, 40*mib, 40*mib), 40*mib + 1, false},
		"several packets, above the bound":       {eventOf(typeRowsQuery, 40*mib, 40*mib), 40 * mib, true},
		"a header that promises more than bound": {eventOf(typeRowsQuery, 40*mib, 1<<31-1), 64 * mib, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPackets(bytes.NewReader(wirePackets(1, tc.data)), 1, tc.limit)
			got, _, err := p.next()
			if errors.Is(err, errEventTooLarge) != tc.over {
				t.Fatalf("error %v", err)
			}
			if !tc.over && !bytes.Equal(got, tc.data) {
				t.Errorf("%d bytes, want %d; error %v", len(got), len(tc.data), err)
			}
		})
	}
}

func TestPacketsOutOfOrderAreRefused(t *testing.T) {
	event := eventOf(typeRowsQuery, 30<<20, 30<<20)
	good := wirePackets(1, event)
	second := mysql.MaxPayloadLen + 4
	for name, edit := range map[string]func([]byte) []byte{
		"the first is another":                func(b []byte) []byte { b[3]++; return b },
		"the second is another":               func(b []byte) []byte { b[second+3]++; return b },
		"longer than the event's header":      func([]byte) []byte { return wirePackets(1, eventOf(typeRowsQuery, 30<<20, 20<<20)) },
		"much longer than the event's header": func([]byte) []byte { return wirePackets(1, eventOf(typeRowsQuery, 30<<20, 100)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPackets(bytes.NewReader(edit(bytes.Clone(good))), 1, 64<<20)
			if _, _, err := p.next(); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-PROTOCOL" {
				t.Errorf("error %v", err)
			}
		})
	}
	for _, cut := range []int{0, 2, 4, 10, 100, second + 2, len(good) - 1} {
		p := newPackets(bytes.NewReader(good[:cut]), 1, 64<<20)
		if _, _, err := p.next(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// Small events are given where they lie, and what is kept of their rows is theirs alone.
func TestSmallPacketsAreLentAndKept(t *testing.T) {
	var wire []byte
	for i := range 100 {
		wire = append(wire, wirePackets(byte(i), bytes.Repeat([]byte{byte(i)}, 100))...)
	}
	p := newPackets(bytes.NewReader(wire), 0, 1<<20)
	var m memory
	var kept [][]byte
	for range 100 {
		data, lent, err := p.next()
		if err != nil || !lent {
			t.Fatalf("lent %v, %v", lent, err)
		}
		kept = append(kept, m.keep(data, false))
		clear(data)
	}
	for i, b := range kept {
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 100)) || cap(b) != 100 {
			t.Errorf("body %d is not what was kept", i)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.keep(kept[0], false) }); n > 0.1 {
		t.Errorf("%v allocations for a body", n)
	}
	if long := m.keep(kept[1], true); &long[0] == &m.bodies.block[:cap(m.bodies.block)][len(m.bodies.block)] {
		t.Error("what is kept for long shares a block")
	}
}
