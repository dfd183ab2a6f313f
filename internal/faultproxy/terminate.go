package faultproxy

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// TerminateOptions say how a Terminator presents itself to clients.
type TerminateOptions struct {
	Upstream string // The real server, host:port.
	// Server is offered to clients: "TLS 1.1 at most", an expired certificate, a wrong name. Nil with StripSSL.
	Server *tls.Config
	// Client is used towards the real server; nil takes any certificate, since both ends are the test's own.
	Client *tls.Config
	// StripSSL removes CLIENT_SSL from the server's greeting, as an attacker on the path would; whatever the
	// client sends after that is counted and goes nowhere.
	StripSSL bool
}

// Report is what a Terminator has seen.
type Report struct {
	Connections   int
	SSLRequests   int      // Clients that asked for TLS.
	Handshakes    int      // TLS handshakes that succeeded.
	ClientErrors  []string // How the other handshakes ended, on the client's side.
	Plaintext     []string // Bytes outside TLS after the greeting, apart from the SSLRequest; contents not shown.
	PlainBytes    int      // How many bytes a client sent although TLS was stripped.
	UpstreamError error    // The first error on the way to the real server.
}

// Terminator is a man in the middle for MySQL's TLS: it passes the greeting, ends TLS with the client as its
// options say, and speaks TLS of its own to the real server. Close it in the end.
type Terminator struct {
	options  TerminateOptions
	listener net.Listener
	work     sync.WaitGroup
	cancel   context.CancelFunc
	watch    watch

	mu     sync.Mutex // Guards report.
	report Report
}

// TerminateTLS starts a Terminator on a free port of 127.0.0.1.
func TerminateTLS(o TerminateOptions) (*Terminator, error) {
	if o.Server == nil && !o.StripSSL {
		return nil, errors.New("TLS terminator: no configuration for clients")
	}
	if o.Client == nil {
		o.Client = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // Both ends are the test's own.
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("TLS terminator: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Terminator{options: o, listener: l, cancel: cancel}
	t.work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			t.work.Go(func() { t.serve(ctx, client) })
		}
	})
	return t, nil
}

// Addr is where clients connect to.
func (t *Terminator) Addr() string { return t.listener.Addr().String() }

// Port is the port of Addr.
func (t *Terminator) Port() int { return t.listener.Addr().(*net.TCPAddr).Port }

// Report is what was seen until now.
func (t *Terminator) Report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.ClientErrors = append([]string(nil), r.ClientErrors...)
	r.Plaintext = t.watch.list()
	return r
}

func (t *Terminator) note(edit func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	edit(&t.report)
}

// Close ends all connections and waits for the end of all work.
func (t *Terminator) Close() error {
	t.cancel()
	err := t.listener.Close()
	t.work.Wait()
	return err
}

func (t *Terminator) serve(ctx context.Context, client net.Conn) {
	t.note(func(r *Report) { r.Connections++ })
	defer client.Close()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	server, err := dialer.DialContext(ctx, "tcp", t.options.Upstream)
	if err != nil {
		t.upstreamFailed(err)
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { // Ends all reads and writes below.
		client.Close()
		server.Close()
	})
	defer stop()

	greeting, err := readPacket(server)
	if err != nil {
		t.upstreamFailed(err)
		return
	}
	if t.options.StripSSL {
		stripSSL(greeting)
	}
	if _, err := client.Write(greeting); err != nil {
		return
	}
	seen := &watchedConn{Conn: client, stream: t.watch.stream(ToServer)}
	if t.options.StripSSL {
		n, _ := io.Copy(io.Discard, seen) //nolint:errcheck // However it ends, the count is what matters.
		t.note(func(r *Report) { r.PlainBytes += int(n) })
		return
	}
	t.terminate(ctx, seen, server)
}

func (t *Terminator) upstreamFailed(err error) {
	t.note(func(r *Report) {
		if r.UpstreamError == nil {
			r.UpstreamError = err
		}
	})
}

// terminate takes the SSLRequest and joins two TLS connections.
func (t *Terminator) terminate(ctx context.Context, client *watchedConn, server net.Conn) {
	request, err := readPacket(client)
	if err != nil {
		return
	}
	if len(request) != 4+sslRequestLength || binary.LittleEndian.Uint32(request[4:])&clientSSL == 0 {
		return // The watch has it on record.
	}
	t.note(func(r *Report) { r.SSLRequests++ })
	near := tls.Server(client, t.options.Server)
	if err := near.HandshakeContext(ctx); err != nil {
		t.note(func(r *Report) { r.ClientErrors = append(r.ClientErrors, err.Error()) })
		return
	}
	t.note(func(r *Report) { r.Handshakes++ })
	if _, err := server.Write(request); err != nil {
		t.upstreamFailed(err)
		return
	}
	far := tls.Client(server, t.options.Client)
	if err := far.HandshakeContext(ctx); err != nil {
		t.upstreamFailed(err)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { join(near, far) })
	both.Go(func() { join(far, near) })
	both.Wait()
}

// join copies one direction and then closes both ends, so that the other direction ends too.
func join(to, from *tls.Conn) {
	_, _ = io.Copy(to, from) //nolint:errcheck // Either end may leave at any time.
	_ = to.Close()
	_ = from.Close()
}

// watchedConn shows what is read from it to a watch.
type watchedConn struct {
	net.Conn
	stream *watchedStream
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stream.see(p[:n])
	return n, err
}

// readPacket reads one MySQL packet, header included, and not a byte more: TLS begins right behind it.
func readPacket(r io.Reader) ([]byte, error) {
	packet := make([]byte, 4)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	length := int(packet[0]) | int(packet[1])<<8 | int(packet[2])<<16
	packet = append(packet, make([]byte, length)...)
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

// stripSSL clears CLIENT_SSL in a greeting. Layout: Protocol::HandshakeV10: version byte, server version up to a
// zero byte, thread id (4), auth data (8), filler (1), lower capabilities (2, little-endian).
func stripSSL(greeting []byte) {
	at := 5
	for at < len(greeting) && greeting[at] != 0 {
		at++
	}
	at += 1 + 4 + 8 + 1
	if at+2 > len(greeting) {
		return
	}
	low := binary.LittleEndian.Uint16(greeting[at:])
	binary.LittleEndian.PutUint16(greeting[at:], low&^clientSSL)
}
