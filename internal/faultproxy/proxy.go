// Package faultproxy breaks connections on purpose, for tests. Proxy is a TCP proxy that delays, slows, stalls,
// swallows, cuts and half-opens what passes; Terminator speaks TLS to a MySQL client with a configuration that a
// real server would refuse to have. Both watch that a client sends nothing but TLS after MySQL's SSLRequest.
//
// The package changes no byte that it forwards, never retries, and imports nothing of the project. Tests call it.
package faultproxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is the way that bytes take through a Proxy.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// String names the direction for test logs.
func (d Direction) String() string { return [...]string{"to server", "to client"}[d] }

// Mode is what happens to bytes of a direction.
type Mode int

// The modes. A mode holds for connections that are open and for later ones.
const (
	Forward Mode = iota
	Stall        // Nothing passes, no reset either; senders are held up once buffers are full; Forward lets all go on.
	Swallow      // Bytes are taken and lost, and so is the end of the stream; a reset passes.
)

// How is the way a connection ends.
type How int

// The ways of ending a connection.
const (
	FIN How = iota // An orderly end of stream.
	RST            // A reset, as from a crashed host or a firewall.
)

// Proxy forwards TCP connections to a server that can be swapped. All methods are safe for concurrent use.
// Close it in the end: it waits for everything that it started.
type Proxy struct {
	listener net.Listener
	work     sync.WaitGroup
	bytes    [2]atomic.Int64
	watch    watch

	mu       sync.Mutex // Guards the fields below.
	upstream string
	refuse   bool
	closed   bool
	faults   [2]faults
	changed  chan struct{} // Closed and replaced when faults change.
	links    map[*link]struct{}
}

// faults of one direction.
type faults struct {
	mode      Mode
	delay     time.Duration
	bandwidth int   // Bytes per second; 0 is unlimited.
	cutAfter  int64 // Bytes that still pass before the connection is cut; negative is never.
	cutHow    How
}

// New starts a proxy on a free port of 127.0.0.1 that forwards to the address given.
func New(upstream string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{listener: l, upstream: upstream, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.faults[ToServer].cutAfter, p.faults[ToClient].cutAfter = -1, -1
	p.work.Go(p.accept)
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Port is the port of Addr.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// SetUpstream sends later connections to another server, as a DNS change or a failover would; open ones stay.
func (p *Proxy) SetUpstream(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = addr
}

// SetDelay holds each byte of the direction back for d. Bytes are not slowed otherwise: many may be on the way.
func (p *Proxy) SetDelay(dir Direction, d time.Duration) {
	p.change(dir, func(f *faults) { f.delay = d })
}

// SetBandwidth limits the direction, per connection, in bytes per second; 0 is unlimited.
func (p *Proxy) SetBandwidth(dir Direction, bytesPerSecond int) {
	p.change(dir, func(f *faults) { f.bandwidth = bytesPerSecond })
}

// SetMode says what happens to the direction's bytes.
func (p *Proxy) SetMode(dir Direction, m Mode) { p.change(dir, func(f *faults) { f.mode = m }) }

// Stall stops both directions; sockets stay open. Flow ends it.
func (p *Proxy) Stall() {
	p.SetMode(ToServer, Stall)
	p.SetMode(ToClient, Stall)
}

// Flow lets both directions pass again. What was stalled arrives late, what was swallowed is lost.
func (p *Proxy) Flow() {
	p.SetMode(ToServer, Forward)
	p.SetMode(ToClient, Forward)
}

// SwallowReplies loses everything that the server sends from now on, while the client's bytes still arrive: a
// COMMIT takes effect and its OK is lost. Then Cut the connections and Flow for later ones.
func (p *Proxy) SwallowReplies() { p.SetMode(ToClient, Swallow) }

// CutAfter cuts a connection once n more bytes have passed in the direction. It works once: the first connection
// to get there is cut.
func (p *Proxy) CutAfter(dir Direction, n int64, how How) {
	p.change(dir, func(f *faults) { f.cutAfter, f.cutHow = n, how })
}

// Refuse makes the proxy reset later connections as soon as they are made, until Refuse(false).
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Cut ends all open connections, on both sides, and returns how many there were.
func (p *Proxy) Cut(how How) int {
	links := p.open()
	for _, l := range links {
		l.cut(how)
	}
	return len(links)
}

// HalfOpen breaks the open connections without telling the clients: the server's side is reset, the client's
// socket stays open, takes bytes and never answers. Later connections work. It returns how many there were.
func (p *Proxy) HalfOpen() int {
	links := p.open()
	for _, l := range links {
		l.halfOpen()
	}
	return len(links)
}

// Connections is the number of open connections, half-open ones included.
func (p *Proxy) Connections() int { return len(p.open()) }

// Bytes is how many bytes were forwarded in the direction since New.
func (p *Proxy) Bytes(dir Direction) int64 { return p.bytes[dir].Load() }

// Plaintext lists what passed outside TLS apart from the server's greeting and the client's SSLRequest, a line
// per connection and direction; empty when a MySQL client was careful. Contents are not shown.
func (p *Proxy) Plaintext() []string { return p.watch.list() }

// Close resets all connections, stops listening and waits for the end of all work.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut(RST)
	p.work.Wait()
	return err
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

// change edits a direction's faults and wakes whoever waits on them.
func (p *Proxy) change(dir Direction, edit func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(&p.faults[dir])
	close(p.changed)
	p.changed = make(chan struct{})
}

// current gives a direction's faults and a channel that closes when they change.
func (p *Proxy) current(dir Direction) (faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[dir], p.changed
}

// spend counts n bytes against CutAfter: how many may pass, and whether the connection is then to be cut.
func (p *Proxy) spend(dir Direction, n int) (pass int, cut bool, how How) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.faults[dir]
	if f.cutAfter < 0 {
		return n, false, f.cutHow
	}
	if int64(n) < f.cutAfter {
		f.cutAfter -= int64(n)
		return n, false, f.cutHow
	}
	pass, f.cutAfter = int(f.cutAfter), -1
	return pass, true, f.cutHow
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // Out of file descriptors, most likely: some may come back.
			continue
		}
		p.work.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve runs one connection to its end.
func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	upstream, refuse := p.upstream, p.refuse || p.closed
	p.mu.Unlock()
	if refuse {
		reset(client)
		return
	}
	server, err := net.DialTimeout("tcp", upstream, 10*time.Second)
	if err != nil {
		reset(client)
		return
	}
	l := newLink(p, client, server.(*net.TCPConn))
	p.mu.Lock()
	if p.closed { // Close did not see this link.
		p.mu.Unlock()
		l.cut(RST)
		return
	}
	p.links[l] = struct{}{}
	p.mu.Unlock()
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}
