package faultproxy

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	chunkSize = 32 << 10 // Bytes read at once.
	// Chunks between the reader and the writer of a direction. They are what can be "on the way" under a delay:
	// 8 MB carry 80 MB/s over a delay of 100 ms.
	chunksOnTheWay = 256
)

// link is one proxied connection.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn

	ended   chan struct{} // Closed by the first cut, or when both directions have ended.
	endOnce sync.Once
	// said is closed, by direction, when all that this end will still give to the other has been written, or cannot be.
	said     [2]chan struct{}
	saidOnce [2]sync.Once
	failed   [2]bool // A write of the direction has failed; each belongs to the direction's pump.
	// broken is closed by halfOpen: nothing is forwarded any more, the client's bytes are taken and lost.
	broken     chan struct{}
	brokenOnce sync.Once
}

func newLink(p *Proxy, client, server *net.TCPConn) *link {
	return &link{proxy: p, client: client, server: server, ended: make(chan struct{}), broken: make(chan struct{}),
		said: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
}

// chunk is what was read at once, and when. No data means the end of the stream, by how.
type chunk struct {
	data []byte
	at   time.Time
	how  How
}

// run forwards both directions until the connection has ended.
func (l *link) run() {
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(ToServer, l.client, l.server) })
	pumps.Go(func() { l.pump(ToClient, l.server, l.client) })
	pumps.Wait()
	l.cut(FIN)
}

// pump forwards one direction: a reader and a writer with a queue between them, so that a delay does not slow.
func (l *link) pump(dir Direction, from, to *net.TCPConn) {
	queue := make(chan chunk, chunksOnTheWay)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		l.read(dir, from, queue)
	})
	for c := range queue {
		if !l.deliver(dir, c, to) {
			break
		}
	}
	l.silent(dir)
	if l.failed[dir] {
		reader.Go(func() { l.resetBehind(1 - dir) })
	}
	for range queue { // The reader may wait for room; it ends with its socket.
	}
	reader.Wait()
}

func (l *link) read(dir Direction, from *net.TCPConn, queue chan<- chunk) {
	watched := l.proxy.watch.stream(dir)
	for {
		data := make([]byte, chunkSize)
		n, err := from.Read(data)
		if n > 0 {
			watched.see(data[:n])
			select {
			case queue <- chunk{data: data[:n], at: time.Now()}:
			case <-l.ended:
				return
			}
		}
		if err == nil {
			continue
		}
		end := chunk{at: time.Now(), how: RST}
		if err == io.EOF {
			end.how = FIN
		}
		select {
		case queue <- end: // Behind what was read before: the last words of an end that resets are written before its reset.
		case <-l.ended:
		}
		return
	}
}

// resetBehind resets the link when all of a direction has been said: writes of the other have failed, and the end that is gone
// may have said why, as by the TLS alert that refuses a certificate.
func (l *link) resetBehind(dir Direction) {
	select {
	case <-l.said[dir]:
	case <-l.ended:
	case <-l.broken:
	}
	select {
	case <-l.broken: // The client must not know.
	default:
		l.cut(RST)
	}
}

// silent notes that nothing more comes in the direction.
func (l *link) silent(dir Direction) { l.saidOnce[dir].Do(func() { close(l.said[dir]) }) }

// deliver writes a chunk as the faults say and reports whether the direction goes on.
func (l *link) deliver(dir Direction, c chunk, to *net.TCPConn) bool {
	f, ok := l.settle(dir, c)
	if !ok {
		return false
	}
	select {
	case <-l.broken:
		return l.afterBreak(dir, c)
	default:
	}
	if c.data == nil && c.how == RST {
		l.cut(RST)
		return false
	}
	if f.mode == Swallow {
		if c.data == nil {
			l.silent(dir)
			<-l.ended // The end is lost too: the socket stays open until somebody cuts.
		}
		return true
	}
	if c.data == nil {
		_ = to.CloseWrite() // The other side may be gone already.
		return false
	}
	pass, cut, how := l.proxy.spend(dir, len(c.data))
	if _, err := to.Write(c.data[:pass]); err != nil {
		select {
		case <-l.broken:
			return l.afterBreak(dir, c)
		default:
			l.failed[dir] = true
			return false
		}
	}
	l.proxy.bytes[dir].Add(int64(pass))
	if cut {
		l.cut(how)
		return false
	}
	if f.bandwidth > 0 {
		return l.pause(time.Duration(pass) * time.Second / time.Duration(f.bandwidth))
	}
	return true
}

// afterBreak goes on taking the client's bytes and holds the server's direction until the connection is cut or
// the client leaves.
func (l *link) afterBreak(dir Direction, c chunk) bool {
	if dir == ToServer {
		if c.data == nil {
			l.cut(FIN)
		}
		return true
	}
	return false
}

// settle waits for the chunk's delay and for the end of a stall; not ok when the connection has ended.
func (l *link) settle(dir Direction, c chunk) (f faults, ok bool) {
	for {
		f, changed := l.proxy.current(dir)
		wait := time.Until(c.at.Add(f.delay))
		select {
		case <-l.ended:
			return f, false
		case <-l.broken:
			return f, true
		default:
		}
		if f.mode != Stall && wait <= 0 {
			return f, true
		}
		var timer <-chan time.Time
		if f.mode != Stall {
			timer = time.After(wait)
		}
		select {
		case <-l.ended:
			return f, false
		case <-l.broken:
			return f, true
		case <-changed:
		case <-timer:
		}
	}
}

// pause waits and reports whether the connection still stands.
func (l *link) pause(d time.Duration) bool {
	select {
	case <-l.ended:
		return false
	case <-time.After(d):
		return true
	}
}

// cut ends both sides, once.
func (l *link) cut(how How) {
	l.endOnce.Do(func() {
		close(l.ended)
		if how == RST {
			reset(l.client)
			reset(l.server)
			return
		}
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// halfOpen resets the server's side and keeps the client's.
func (l *link) halfOpen() {
	l.brokenOnce.Do(func() {
		close(l.broken)
		reset(l.server)
	})
}

// reset closes a socket so that the peer sees a reset, also when unread bytes would not have caused one.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
