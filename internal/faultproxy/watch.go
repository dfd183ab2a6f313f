package faultproxy

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// clientSSL is CLIENT_SSL, the capability by which a MySQL server offers and a client takes TLS
// (mysql_com.h).
const clientSSL = 0x0800

// sslRequestLength is the payload of an SSLRequest: capabilities, packet size, charset, 23 zero bytes
// (protocol 4.1, page "Protocol::SSLRequest" of the server's source documentation).
const sslRequestLength = 32

// watch collects what passed outside TLS.
type watch struct {
	mu    sync.Mutex // Guards found.
	found []string
}

func (w *watch) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.found...)
}

func (w *watch) report(dir Direction, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, fmt.Sprintf("%s: %s", dir, what))
}

// stream watches one direction of one connection.
func (w *watch) stream(dir Direction) *watchedStream {
	return &watchedStream{watch: w, dir: dir}
}

// watchedStream follows a stream over any division into chunks: one plain MySQL packet (the server's greeting,
// the client's SSLRequest), then TLS records.
type watchedStream struct {
	watch *watch
	dir   Direction

	head    []byte // Header, and for the client's first packet the capabilities, of what is being read.
	left    int    // Bytes left of the packet's or record's body.
	inTLS   bool
	stopped bool // A violation was reported: what follows is not understood any more.
}

// see takes the next bytes of the stream.
func (s *watchedStream) see(data []byte) {
	for len(data) > 0 && !s.stopped {
		if s.left > 0 {
			n := min(s.left, len(data))
			s.left -= n
			data = data[n:]
			continue
		}
		s.head = append(s.head, data[0])
		data = data[1:]
		if s.inTLS {
			s.record()
		} else {
			s.packet()
		}
	}
}

// packet judges the first packet as soon as enough of it is here.
func (s *watchedStream) packet() {
	const header = 4 // Length (3 bytes, little-endian) and sequence number.
	if len(s.head) < header {
		return
	}
	length := int(s.head[0]) | int(s.head[1])<<8 | int(s.head[2])<<16
	if s.dir == ToServer {
		if length != sslRequestLength {
			s.stop("the first packet is no SSLRequest")
			return
		}
		if len(s.head) < header+4 {
			return
		}
		if binary.LittleEndian.Uint32(s.head[header:])&clientSSL == 0 {
			s.stop("the first packet does not ask for TLS")
			return
		}
		length -= 4
	}
	s.left, s.head, s.inTLS = length, s.head[:0], true
}

// record judges a TLS record's header: content type, version 3.x, length (RFC 8446 §5.1).
func (s *watchedStream) record() {
	if len(s.head) < 5 {
		return
	}
	length := int(binary.BigEndian.Uint16(s.head[3:]))
	if kind := s.head[0]; kind < 20 || kind > 24 || s.head[1] != 3 || length > 1<<14+2048 {
		s.stop("bytes that are not a TLS record")
		return
	}
	s.left, s.head = length, s.head[:0]
}

func (s *watchedStream) stop(what string) {
	s.stopped = true
	s.watch.report(s.dir, what)
}
