package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends back what it gets and remembers it.
type echo struct {
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex // Guards got and conns.
	got   bytes.Buffer
	conns []net.Conn
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener: l}
	e.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			e.mu.Unlock()
			e.work.Go(func() {
				defer c.Close()
				_, _ = io.Copy(io.MultiWriter(e, c), c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		e.mu.Lock()
		for _, c := range e.conns {
			c.Close()
		}
		e.mu.Unlock()
		e.work.Wait()
	})
	return e
}

func (e *echo) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got.Write(p)
}

func (e *echo) received() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got.String()
}

func startProxy(t *testing.T) (*Proxy, *echo) {
	t.Helper()
	e := startEcho(t)
	p, err := New(e.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, e
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads n bytes, or what came before the deadline or the end.
func hear(t *testing.T, c net.Conn, n int, patience time.Duration) (string, error) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, n)
	got, err := io.ReadFull(c, data)
	return string(data[:got]), err
}

const (
	soon  = 5 * time.Second        // For what must come.
	never = 150 * time.Millisecond // For what must not.
)

func mustHear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got, err := hear(t, c, len(want), soon)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
}

func mustHearNothing(t *testing.T, c net.Conn) {
	t.Helper()
	var timeout net.Error
	if got, err := hear(t, c, 1, never); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("got %q, %v; want silence on an open socket", got, err)
	}
}

func TestProxyForwards(t *testing.T) {
	p, _ := startProxy(t)
	c := dial(t, p)
	text := string(bytes.Repeat([]byte("abcdefghij"), 100_000))
	var writer sync.WaitGroup
	writer.Go(func() { _, _ = io.WriteString(c, text) })
	mustHear(t, c, text)
	writer.Wait()
	if got := p.Bytes(ToServer); got != int64(len(text)) {
		t.Errorf("%d bytes counted, want %d", got, len(text))
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := hear(t, c, 1, soon); err != io.EOF {
		t.Errorf("the end of the stream did not pass: %v", err)
	}
}

func TestDelayHoldsEachDirectionBack(t *testing.T) {
	p, _ := startProxy(t)
	c := dial(t, p)
	p.SetDelay(ToServer, 100*time.Millisecond)
	p.SetDelay(ToClient, 150*time.Millisecond)
	start := time.Now()
	for range 20 { // A delay is no limit on what is on the way.
		say(t, c, "x")
		time.Sleep(time.Millisecond)
	}
	mustHear(t, c, "xxxxxxxxxxxxxxxxxxxx")
	if took := time.Since(start); took < 250*time.Millisecond || took > 2*time.Second {
		t.Errorf("took %v, want a little over 250ms", took)
	}
}

func TestBandwidthLimitsTheRate(t *testing.T) {
	p, _ := startProxy(t)
	c := dial(t, p)
	p.SetBandwidth(ToClient, 100_000)
	start := time.Now()
	text := string(make([]byte, 30_000))
	for range 3 {
		say(t, c, text[:10_000])
		time.Sleep(5 * time.Millisecond)
	}
	mustHear(t, c, text)
	say(t, c, "x")
	mustHear(t, c, "x")
	if took := time.Since(start); took < 250*time.Millisecond {
		t.Errorf("30 kB at 100 kB/s took %v", took)
	}
}

func TestStallKeepsSocketsOpenAndFlowDelivers(t *testing.T) {
	p, _ := startProxy(t)
	c := dial(t, p)
	say(t, c, "a")
	mustHear(t, c, "a")
	p.Stall()
	say(t, c, "b")
	mustHearNothing(t, c)
	p.Flow()
	mustHear(t, c, "b")
}

func TestSwallowedReplyIsLostAlthoughTheServerGotTheRequest(t *testing.T) {
	p, e := startProxy(t)
	c := dial(t, p)
	p.SwallowReplies()
	say(t, c, "COMMIT")
	mustHearNothing(t, c)
	if diff := cmp.Diff("COMMIT", e.received()); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if n := p.Cut(RST); n != 1 {
		t.Errorf("cut %d connections, want 1", n)
	}
	if _, err := hear(t, c, 1, soon); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the cut: %v", err)
	}
	p.Flow()
	again := dial(t, p)
	say(t, again, "x")
	mustHear(t, again, "x")
}

func TestCutEndsConnections(t *testing.T) {
	for how, want := range map[How]error{FIN: io.EOF, RST: syscall.ECONNRESET} {
		p, _ := startProxy(t)
		c := dial(t, p)
		say(t, c, "a")
		mustHear(t, c, "a")
		p.Cut(how)
		if _, err := hear(t, c, 1, soon); !errors.Is(err, want) {
			t.Errorf("cut %d: %v, want %v", how, err, want)
		}
	}
}

func TestCutAfterLetsExactlySoManyBytesPass(t *testing.T) {
	p, e := startProxy(t)
	c := dial(t, p)
	p.CutAfter(ToServer, 5, FIN)
	say(t, c, "abc")
	mustHear(t, c, "abc")
	say(t, c, "defg")
	_, _ = hear(t, c, 10, soon)
	deadline := time.Now().Add(soon)
	for e.received() != "abcde" && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if diff := cmp.Diff("abcde", e.received()); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	again := dial(t, p)
	say(t, again, "0123456789")
	mustHear(t, again, "0123456789")
}

func TestHalfOpenClientSeesNothing(t *testing.T) {
	p, e := startProxy(t)
	c := dial(t, p)
	say(t, c, "a")
	mustHear(t, c, "a")
	if n := p.HalfOpen(); n != 1 {
		t.Errorf("half-opened %d connections, want 1", n)
	}
	mustHearNothing(t, c)
	say(t, c, "lost")
	mustHearNothing(t, c)
	if diff := cmp.Diff("a", e.received()); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	other := dial(t, p)
	say(t, other, "b")
	mustHear(t, other, "b")
	c.Close()
	other.Close()
	for deadline := time.Now().Add(soon); p.Connections() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", p.Connections())
		}
	}
}

func TestUpstreamIsSwappedForLaterConnections(t *testing.T) {
	p, first := startProxy(t)
	second := startEcho(t)
	old := dial(t, p)
	say(t, old, "1")
	mustHear(t, old, "1")
	p.SetUpstream(second.listener.Addr().String())
	fresh := dial(t, p)
	say(t, fresh, "2")
	mustHear(t, fresh, "2")
	say(t, old, "3")
	mustHear(t, old, "3")
	if diff := cmp.Diff([]string{"13", "2"}, []string{first.received(), second.received()}); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

func TestRefusedConnectionIsReset(t *testing.T) {
	p, _ := startProxy(t)
	p.Refuse(true)
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // The reset may come as early as in connect.
		_, err = hear(t, c, 1, soon)
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("want a reset, got %v", err)
	}
	p.Refuse(false)
	c = dial(t, p)
	say(t, c, "a")
	mustHear(t, c, "a")
}

func TestCloseEndsStalledConnections(t *testing.T) {
	p, _ := startProxy(t)
	c := dial(t, p)
	p.Stall()
	say(t, c, "a")
	time.Sleep(20 * time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- p.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(soon):
		t.Fatal("Close hangs")
	}
	p.listener, _ = net.Listen("tcp", "127.0.0.1:0") // The Cleanup closes again.
}

// A server that refuses says why and resets, while the client still writes: neither the reset nor the failed write may
// overtake the words.
func TestLastWordsBeforeAResetArrive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Write([]byte("no, because"))
			reset(c.(*net.TCPConn))
		}
	})
	t.Cleanup(func() { l.Close(); server.Wait() })
	for name, delay := range map[string]time.Duration{"at once": 0, "late": 30 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			p, err := New(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			p.SetDelay(ToClient, delay)
			for range 20 {
				c := dial(t, p)
				for range 5 {
					_, _ = c.Write([]byte("and another thing"))
					time.Sleep(time.Millisecond)
				}
				mustHear(t, c, "no, because")
			}
		})
	}
}

// Where the server's end is swallowed, what the client still writes finds out that the server is gone: the link ends by itself.
func TestASwallowedEndDoesNotKeepTheLink(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p, err := New(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	p.SwallowReplies()
	c := dial(t, p)
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	for deadline := time.Now().Add(5 * time.Second); p.Connections() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the link stands although the server is gone and writes fail")
		}
		_, _ = c.Write([]byte("still there?"))
	}
}
