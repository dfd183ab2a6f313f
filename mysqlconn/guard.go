package mysqlconn

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
)

// errPlaintext is what a driver gets when it tries to send anything but a TLS record, or the one packet that asks
// for TLS.
var errPlaintext = errors.New("refused to send bytes outside TLS")

// errGreeting is what a driver gets when the peer's first packet is not a MySQL server's greeting.
var errGreeting = errors.New("peer does not greet like a MySQL server")

const (
	packetHeader  = 4       // Length in three bytes, sequence in one.
	maxGreeting   = 4 << 10 // A greeting has about a hundred bytes, an error packet at most 600.
	sslRequestLen = 32      // Protocol::SSLRequest: capabilities, packet size, collation, filler.
	clientSSL     = 0x0800  // CLIENT_SSL
	recordHeader  = 5       // TLS record: type, version, length.
)

// guardedConn lets a MySQL driver do on a socket what may be done before TLS, and nothing else.
//
// Invariant 5: no byte of a row, a credential or a query leaves over a connection that is not TLS with a verified
// peer. The drivers are configured so; this holds them to it at the socket, whatever a driver's next version does.
//   - To the peer goes one Protocol::SSLRequest, and after it only TLS records.
//   - From the peer comes exactly one packet before TLS. A man in the middle who appends forged replies to the
//     greeting would otherwise have them taken from the driver's buffer as if they had come through TLS.
//
// Reads and writes keep separate state, so one of each may run at the same time, as with any net.Conn.
type guardedConn struct {
	net.Conn

	header  [packetHeader]byte
	gotHead int  // Bytes of the greeting's header that were read.
	left    int  // Bytes of the greeting's payload still to come.
	greeted bool // The greeting is complete; what follows is TLS.

	asked bool  // The SSLRequest was sent.
	gone  error // The peer has ended the connection, as a write has found out.
}

// Read gives no byte beyond the greeting until the greeting is complete.
func (g *guardedConn) Read(b []byte) (int, error) {
	if g.greeted || len(b) == 0 {
		return g.Conn.Read(b)
	}
	if g.gotHead < packetHeader {
		n, err := g.Conn.Read(b[:min(len(b), packetHeader-g.gotHead)])
		copy(g.header[g.gotHead:], b[:n])
		g.gotHead += n
		if g.gotHead == packetHeader {
			g.left = int(g.header[0]) | int(g.header[1])<<8 | int(g.header[2])<<16
			if g.left == 0 || g.left > maxGreeting {
				_ = g.Conn.Close()
				return 0, errGreeting
			}
		}
		return n, err
	}
	n, err := g.Conn.Read(b[:min(len(b), g.left)])
	g.left -= n
	g.greeted = g.left == 0
	return n, err
}

// Write refuses what is neither the SSLRequest nor a TLS record, and closes the connection then. crypto/tls writes
// whole records, so each call begins with a record's header.
func (g *guardedConn) Write(b []byte) (int, error) {
	switch {
	case !g.asked && isSSLRequest(b):
		g.asked = true
	case g.asked && isTLSRecord(b):
	default:
		_ = g.Conn.Close()
		return 0, errPlaintext
	}
	if g.gone != nil {
		return 0, g.gone
	}
	n, err := g.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		// The peer's last words may still be unread, such as the alert by which it refuses our certificate: in TLS 1.3
		// that comes when the client has long begun to write. The read that follows each write gives them, or the error.
		g.gone = err
		return len(b), nil
	}
	return n, err
}

// isSSLRequest reports whether b is one Protocol::SSLRequest packet.
func isSSLRequest(b []byte) bool {
	return len(b) == packetHeader+sslRequestLen && b[0] == sslRequestLen && b[1] == 0 && b[2] == 0 &&
		binary.LittleEndian.Uint32(b[packetHeader:])&clientSSL != 0
}

// isTLSRecord reports whether b begins with the header of a TLS record: change_cipher_spec, alert, handshake or
// application_data, of major version 3.
func isTLSRecord(b []byte) bool {
	return len(b) > recordHeader && b[0] >= 20 && b[0] <= 23 && b[1] == 3
}
