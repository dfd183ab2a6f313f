package replicator

import (
	"bytes"
	"context"
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

// Whatever the pieces in which bytes arrive, they are given as they are, and wait is called before each read that may block,
// with all that was received given.
func TestSocketGathers(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		wire := make([]byte, rapid.IntRange(1, 3*socketBuffer).Draw(r, "bytes"))
		for i := range wire {
			wire[i] = byte(i * 7 >> 3)
		}
		conn := &pieces{}
		for rest := wire; len(rest) > 0; {
			n := min(len(rest), rapid.SampledFrom([]int{1, 600, 20_000, socketBuffer - 1, socketBuffer, 2 * socketBuffer}).Draw(r, "piece"))
			conn.left, rest = append(conn.left, rest[:n]), rest[n:]
		}
		at, waits, received := 0, 0, 0
		s := &socket{Conn: conn}
		s.gather(func() error {
			if waits++; at != received {
				r.Fatalf("it waits at %d of %d bytes received", at, received)
			}
			return nil
		})
		b := make([]byte, rapid.SampledFrom([]int{1, 7, 512, 1 << 15}).Draw(r, "room"))
		for at < len(wire) {
			before, left := waits, len(conn.left)
			n, err := s.Read(b)
			if waits > before {
				if received += s.to; left == 0 || s.filled != (s.to == socketBuffer) {
					r.Fatalf("received %d bytes, filled %v", s.to, s.filled)
				}
			}
			if err != nil || n == 0 || !bytes.Equal(b[:n], wire[at:at+n]) {
				r.Fatalf("at %d: %d bytes, %v", at, n, err)
			}
			at += n
		}
		if _, err := s.Read(b); !errors.Is(err, io.EOF) {
			r.Fatalf("behind the last byte: %v", err)
		}
		stop := errors.New("stop")
		s.gather(func() error { return stop })
		if _, err := s.Read(b); !errors.Is(err, stop) {
			r.Fatalf("an error of wait: %v", err)
		}
	})
}

// Near the end of the log it is read every readEvery; what comes after a pause goes at once, and far behind nothing waits.
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
		time.Sleep(readEvery / 4)
		yielded()
		step("one that follows", 3*readEvery/4)
		yielded()
		step("one that was there by then", readEvery)
		step("nothing more", 0)
		near = false
		yielded()
		step("far behind", 0)
		near = true
		time.Sleep(2 * readEvery)
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
