package applier

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/binseal/binseal/change"
)

const wireBlob = 252

// slow is a session whose server answers when the test says so.
type slow struct {
	t       *testing.T
	w       *writer
	asked   chan string
	answers chan answer
	busy    bool
}

func (s *slow) exec(ctx context.Context, sql string) ([]int64, error) {
	if s.busy {
		s.t.Error("two packets are under way at a time")
	}
	s.busy = true
	defer func() { s.busy = false }()
	s.asked <- sql
	select {
	case a := <-s.answers:
		if a.counts == nil && a.err == nil {
			for _, x := range s.w.sent {
				a.counts = append(a.counts, max(x.count, 0))
			}
		}
		return a.counts, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slow) load(context.Context, string, io.Reader) (loaded, warnings int64, err error) {
	return 0, 0, errors.New("not asked for here")
}

// inFlight runs a writer over inserts of the given sizes against a slow server.
func inFlight(t *testing.T, sizes []int, body func(s *slow, stop func(), done <-chan error)) {
	def, m := wideTable(1)
	def.Columns[1].DataType, def.Columns[1].ColumnType = "longblob", "longblob"
	m.Types, m.Meta = []byte{wireLong, wireBlob}, []uint16{0, 4}
	var rows []change.Row
	for i, size := range sizes {
		img := binary.LittleEndian.AppendUint32([]byte{0, byte(i), 0, 0, 0}, uint32(size))
		rows = append(rows, rowsOf(m, change.Insert, 0, append(img, strings.Repeat("x", size)...))...)
	}
	steps := stepsFor(t, def, m, rows)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s := &slow{t: t, asked: make(chan string), answers: make(chan answer)}
		s.w = &writer{ctx: ctx, session: s, limit: 6 * packetBytes}
		done := make(chan error, 1)
		go func() { done <- s.w.run(steps) }()
		body(s, stop, done) // A goroutine that is left fails the bubble.
	})
}

// some are rows that make n packets.
func some(n int) []int {
	var sizes []int
	for range n {
		sizes = append(sizes, packetBytes-1000)
	}
	return sizes
}

func TestAPacketIsWrittenWhileTheOneBeforeIsExecuted(t *testing.T) {
	inFlight(t, some(3), func(s *slow, _ func(), done <-chan error) {
		for i := range 3 {
			<-s.asked
			synctest.Wait()
			if i == 0 && len(s.w.buf) < packetBytes-1000 {
				t.Errorf("%d bytes of the next packet are written while the first is under way", len(s.w.buf))
			}
			if len(done) > 0 {
				t.Fatal("done before the last answer")
			}
			s.answers <- answer{}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Two rows of 64 MiB beside each other, each as a statement too, would break the bound of the memory (invariant 7).
func TestNothingIsWrittenBesideAHugePacket(t *testing.T) {
	inFlight(t, []int{4 * packetBytes, 4 * packetBytes}, func(s *slow, _ func(), done <-chan error) {
		for range 2 {
			<-s.asked
			synctest.Wait()
			if len(s.w.buf) > 0 {
				t.Errorf("%d bytes are written beside a huge packet", len(s.w.buf))
			}
			s.answers <- answer{}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnErrorUnderWayIsNotLost(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		packets int
		failing int // The packet that is answered with the error.
		answer  answer
		want    func(error) bool
	}{
		"of the last packet":   {2, 1, answer{err: refused}, func(err error) bool { return errors.Is(err, refused) }},
		"of one before":        {3, 0, answer{err: refused}, func(err error) bool { return errors.Is(err, refused) }},
		"a count of the first": {3, 0, answer{counts: []int64{0}}, func(err error) bool { m, ok := errors.AsType[*mismatch](err); return ok && m.got == 0 && m.count == 1 }},
		"too few answers":      {2, 1, answer{counts: []int64{}}, func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			inFlight(t, some(c.packets), func(s *slow, _ func(), done <-chan error) {
				for range c.failing {
					<-s.asked
					s.answers <- answer{}
				}
				<-s.asked
				s.answers <- c.answer
				synctest.Wait()
				select {
				case <-s.asked:
					t.Fatal("a packet follows one that failed")
				case err := <-done:
					if !c.want(err) {
						t.Errorf("got %v", err)
					}
				}
			})
		})
	}
}

// A row that cannot be written behind a mark that did not match: another daemon owns the stream, and that decides.
func TestTheAnswerUnderWayComesBeforeTheWritersOwnError(t *testing.T) {
	sizes := append(some(2), 7*packetBytes)
	lost := errors.New("lost")
	inFlight(t, sizes, func(s *slow, _ func(), done <-chan error) {
		<-s.asked
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("the run ends while a packet is under way")
		}
		s.answers <- answer{err: lost}
		if err := <-done; !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStoppedRunLeavesNothingUnderWay(t *testing.T) {
	inFlight(t, some(3), func(s *slow, stop func(), done <-chan error) {
		<-s.asked
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if s.busy {
			t.Error("a packet is under way behind the end of the run")
		}
	})
}
