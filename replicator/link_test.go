package replicator

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/binseal/binseal/change"
)

// pieces is a connection that gives what it was sent in pieces.
type pieces struct {
	net.Conn
	left [][]byte
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; len(p.left[0]) == 0 {
		p.left = p.left[1:]
	}
	return n, nil
}

// Whatever the pieces in which records arrive, they are given as they are, no two in one read, and ahead tells whether the
// next one is there whole.
func TestSocketGivesRecords(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var wire []byte
		var ends []int
		for range rapid.IntRange(1, 30).Draw(r, "records") {
			size := rapid.SampledFrom([]int{1, 2, 40, 512, 4_000, 1 << 14, socketBuffer}).Draw(r, "size")
			wire = binary.BigEndian.AppendUint16(append(wire, 23, 3, 3), uint16(size-1)) // A record holds 2^14 bytes and its seal; the socket does not mind more.
			wire = append(wire, bytes.Repeat([]byte{byte(len(ends))}, size-1)...)
			ends = append(ends, len(wire))
		}
		conn := &pieces{}
		for rest := wire; len(rest) > 0; {
			n := min(len(rest), rapid.SampledFrom([]int{1, 3, 5, 600, 20_000, 2 * socketBuffer}).Draw(r, "piece"))
			conn.left, rest = append(conn.left, rest[:n]), rest[n:]
		}
		s := &socket{Conn: conn}
		s.buffer()
		room := rapid.SampledFrom([]int{1, 7, 512, 1 << 15}).Draw(r, "room")
		at := 0
		for record := 0; at < len(wire); {
			if s.ahead() && s.from+ends[record]-at > s.to {
				r.Fatalf("a part of record %d is there, and it is said to be whole", record)
			}
			b := make([]byte, room)
			n, err := s.Read(b)
			if err != nil || n == 0 || at+n > ends[record] || !bytes.Equal(b[:n], wire[at:at+n]) {
				r.Fatalf("at %d of record %d, which ends at %d: %d bytes, %v", at, record, ends[record], n, err)
			}
			if at += n; at == ends[record] {
				record++
			}
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || s.ahead() {
			r.Fatalf("behind the last record: %v, ahead %v", err, s.ahead())
		}
	})
}

// Near the end of the log it is read every gather; what comes after a pause goes at once, and far behind nothing waits.
func TestRestNearTheEndOfTheLog(t *testing.T) {
	near := true
	r := New(Config{Near: func(time.Time) bool { return near }})
	synctest.Test(t, func(t *testing.T) {
		h := &handover{yield: func([]*change.Txn) error { return nil }}
		yielded := func() {
			if err := errors.Join(h.add(&change.Txn{First: true, Last: true, CommitTime: time.Now()}), h.flush()); err != nil {
				t.Fatal(err)
			}
		}
		step := func(what string, want time.Duration) {
			t.Helper()
			begin := time.Now()
			r.rest(t.Context(), h)
			if got := time.Since(begin); got != want {
				t.Errorf("%s: waits for %s, want %s", what, got, want)
			}
		}
		step("nothing was yielded", 0)
		yielded()
		step("the first", 0)
		time.Sleep(gather / 4)
		yielded()
		step("one that follows", 3*gather/4)
		yielded()
		step("one that was there by then", gather)
		step("nothing more", 0)
		near = false
		yielded()
		step("far behind", 0)
		near = true
		time.Sleep(2 * gather)
		yielded()
		step("after a pause", 0)
		yielded()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		if r.rest(ctx, h); time.Since(begin) != 0 {
			t.Error("it waits although the run has ended")
		}
	})
}
