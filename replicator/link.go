package replicator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// link is the dump connection: go-mysql's client for handshake, TLS, authentication and packets, and the few
// commands that make it a replica. go-mysql's BinlogSyncer is not used, because it
//   - takes a new random replica UUID for every connection, so that the source neither ends the thread of a link that
//     half-opened nor notices a second reader with the same server id;
//   - opens another connection to KILL the old one on Close, and reads packets of any size whole;
//   - goes on after an end-of-file packet and after a packet that it does not know.
//
// Not safe for concurrent use, but for the context that dial is given: when it ends, the socket is closed and a
// blocked read returns.
type link struct {
	conn    *client.Conn
	socket  *socket
	stop    func() bool // Ends the watch of the context.
	leave   func()      // Takes it off the endpoint's connections.
	limit   int         // Largest packet, in bytes.
	packets *packets    // Of the dump; nil before the first read of it.
}

// socket is the connection below TLS. It bounds every read in time, so that a half-open link is noticed, and keeps
// the first error, which go-mysql's wrapping would flatten to text.
type socket struct {
	net.Conn

	mu       sync.Mutex    // Guards patience and err.
	patience time.Duration // Longest silence of the source; one read waits no longer.
	err      error         // First error of a read or write.

	// What follows belongs to the goroutine that reads. buf is nil until gather is called.
	buf      []byte
	from, to int          // What is received and not given, in buf.
	wait     func() error // Called before a read that may block.
	filled   bool         // The last read filled buf: there may be more to receive.
}

// socketBuffer holds what the source sends while we rest: see Reader.rest.
const socketBuffer = 64 << 10

// gather lets reads take as much as there is, and calls wait when all of it is used and the next read may block; its error ends
// the read.
func (s *socket) gather(wait func() error) { s.buf, s.wait = make([]byte, socketBuffer), wait }

// Read gives what is received already, or receives.
func (s *socket) Read(p []byte) (int, error) {
	if s.buf == nil {
		return s.receive(p)
	}
	if s.from == s.to {
		if err := s.wait(); err != nil {
			return 0, err
		}
		n, err := s.receive(s.buf)
		if n == 0 { // An error behind bytes comes again.
			return 0, err
		}
		s.from, s.to, s.filled = 0, n, n == len(s.buf)
	}
	n := copy(p, s.buf[s.from:s.to])
	s.from += n
	return n, nil
}

// receive waits for the source no longer than its patience.
func (s *socket) receive(p []byte) (int, error) {
	s.mu.Lock()
	patience := s.patience
	s.mu.Unlock()
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, s.keep(err)
	}
	n, err := s.Conn.Read(p)
	return n, s.keep(err)
}

// Write gives up when the source does not take the bytes in time.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(setupPatience)); err != nil {
		return 0, s.keep(err)
	}
	n, err := s.Conn.Write(p)
	return n, s.keep(err)
}

func (s *socket) keep(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = err
	}
	return err
}

// cause is the first error of the socket, or err when it had none.
func (s *socket) cause(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return err
}

func (s *socket) waitFor(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience = d
}

const (
	// setupPatience bounds one reply while the connection is made.
	setupPatience = 10 * time.Second
	// seekPatience bounds the wait for the first event: with GTIDs the source first looks through its files, newest
	// first, and sends nothing meanwhile.
	seekPatience = 2 * time.Minute
	// netTimeout is how long the source may wait for us to take an event. Back-pressure from the target is normal,
	// and the default of a minute would cut the stream during a long commit. A thread left behind by a half-open
	// link does not stay that long: our next connection has the same replica UUID, and the source ends the older.
	netTimeout = time.Hour
)

// settings prepares the session for the dump.
func (l *link) settings(statements []string) error {
	for _, sql := range statements {
		if _, err := l.conn.Execute("/* binseal replicator */ " + sql); err != nil {
			return err
		}
	}
	return nil
}

// serverEnd asks what the server sees of this connection.
func (l *link) serverEnd() (id uint64, version, cipher string, err error) {
	r, err := l.conn.Execute("/* binseal replicator */ SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_cipher', 'Ssl_version')")
	if err != nil {
		return 0, "", "", err
	}
	defer r.Close()
	for i := range r.RowNumber() {
		name, err := r.GetString(i, 0)
		if err != nil {
			return 0, "", "", err
		}
		value, err := r.GetString(i, 1)
		if err != nil {
			return 0, "", "", err
		}
		if name == "Ssl_cipher" {
			cipher = value
		} else {
			version = value
		}
	}
	return uint64(l.conn.GetConnectionID()), version, cipher, nil
}

// uuid asks this very connection for the server's identity: a name may lead to another server than a moment ago.
func (l *link) uuid(mariaDB bool) (string, error) {
	r, err := l.conn.Execute("/* binseal replicator */ " + mysqlconn.IdentityQuery(mariaDB))
	if err != nil {
		return "", err
	}
	defer r.Close()
	return r.GetString(0, 0)
}

// command sends one command packet; go-mysql fills in the first four bytes.
func (l *link) command(body []byte) error {
	l.conn.ResetSequence()
	return l.conn.WritePacket(append(make([]byte, 4, 4+len(body)), body...))
}

// register makes the reader visible in SHOW REPLICAS.
// Layout: COM_REGISTER_SLAVE: server id 4, host, user and password (length 1, text), port 2, rank 4, source id 4.
func (l *link) register(serverID uint32) error {
	const host = "binseal"
	b := append([]byte{mysql.COM_REGISTER_SLAVE}, binary.LittleEndian.AppendUint32(nil, serverID)...)
	b = append(append(b, byte(len(host))), host...)
	b = append(b, 0, 0)                // No user and no password: the source would show them.
	b = append(b, make([]byte, 10)...) // Port, rank, source id.
	if err := l.command(b); err != nil {
		return err
	}
	_, err := l.conn.ReadOKPacket()
	return err
}

// Flags of the dump commands. Source: rpl_constants.h.
const useHeartbeatV2 = 1 << 1 // Positions of heartbeats in 64 bits; older sources ignore the flag.

// dumpFrom asks for the log from a position that 32 bits can name.
// Layout: COM_BINLOG_DUMP: position 4, flags 2, server id 4, file.
func (l *link) dumpFrom(serverID uint32, flags uint16, pos change.Position) error {
	b := append([]byte{mysql.COM_BINLOG_DUMP}, binary.LittleEndian.AppendUint32(nil, uint32(pos.Pos))...)
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint32(b, serverID)
	return l.command(append(b, pos.File...))
}

// dumpBehind asks for all transactions that are not in the set.
// Layout: COM_BINLOG_DUMP_GTID: flags 2, server id 4, file's length 4, file, position 8, set's length 4, set.
func (l *link) dumpBehind(serverID uint32, gtids change.GTIDSet) error {
	set := gtids.Encode()
	b := append([]byte{mysql.COM_BINLOG_DUMP_GTID}, binary.LittleEndian.AppendUint16(nil, useHeartbeatV2)...)
	b = binary.LittleEndian.AppendUint32(b, serverID)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(set)))
	return l.command(append(b, set...))
}

// errEndOfStream means that the source ended the dump in an orderly way: it shuts down.
var errEndOfStream = fmt.Errorf("the source ended the stream: %w", io.EOF)

// read takes the next event off the wire, whole. lent tells that its memory is valid until the next call only.
func (l *link) read() (raw []byte, lent bool, err error) {
	if l.packets == nil { // Nothing but the dump comes from here on.
		l.packets = newPackets(l.conn.Conn.Conn, l.conn.Sequence, l.limit)
	}
	data, lent, err := l.packets.next()
	switch {
	case errors.Is(err, errEventTooLarge):
		return nil, false, tooLarge()
	case err != nil && change.FaultOf(err) == nil:
		return nil, false, l.socket.cause(err)
	case err != nil:
		return nil, false, err
	case len(data) == 0:
		return nil, false, lost(errors.New("an empty packet"))
	}
	switch data[0] {
	case mysql.OK_HEADER:
		return data[1:], lent, nil
	case mysql.ERR_HEADER:
		if len(data) < 9 {
			return nil, false, lost(errors.New("an error packet that is cut off"))
		}
		return nil, false, l.conn.HandleErrorPacket(data)
	case mysql.EOF_HEADER:
		return nil, false, errEndOfStream
	default: // Whatever it is, skipping it may skip rows (invariant 6).
		return nil, false, lost(fmt.Errorf("a packet of kind %d", data[0]))
	}
}

// eventLimit is the largest event of a type. An insert's image becomes a statement of its size, and both are in memory
// at once; of an update's two images only one does (invariant 7). One that comes as JSON differences is made whole.
func eventLimit(typ byte, limit int) int {
	switch typ {
	case typeWriteRowsV1, typeDeleteRowsV1, typeWriteRows, typeDeleteRows, typePartialUpdateRows:
		return limit / 2
	}
	return limit
}

// close ends the connection without a word: the source sees the socket close.
func (l *link) close() {
	l.leave()
	l.stop()
	if l.socket != nil { // Nil when there was no connection at all.
		l.socket.Close()
	}
}

// watch closes the socket when ctx ends, so that a blocked read returns at once. It replaces an earlier watch.
func (l *link) watch(ctx context.Context) {
	l.stop()
	l.stop = context.AfterFunc(ctx, func() { l.socket.Close() })
}
