package replicator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// packetBufferSize holds what was read of the connection; a few TLS records of 16 KiB, and hundreds of small events.
const packetBufferSize = 256 << 10

// packets reads the dump's packets from the connection below go-mysql, which would copy each of them three times. One
// that fits into the buffer is given as it lies there; a larger one gets memory of its own, whose size is known before
// it is read (invariant 7).
//
// Layout of a packet: length 3, sequence number 1, then the bytes; 2^24-1 bytes mean that the next packet goes on.
type packets struct {
	conn     io.Reader
	limit    int // Largest packet, in bytes.
	sequence uint8
	buf      []byte
	from, to int // What is read and not given, in buf.
}

func newPackets(conn io.Reader, sequence uint8, limit int) *packets {
	return &packets{conn: conn, limit: limit, sequence: sequence, buf: make([]byte, packetBufferSize)}
}

// next gives the next packet. lent tells that it is valid until the next call only.
func (p *packets) next() (data []byte, lent bool, err error) {
	size, err := p.head()
	if err != nil {
		return nil, false, err
	}
	if size < mysql.MaxPayloadLen && size <= len(p.buf) {
		if err := p.fill(size); err != nil {
			return nil, false, err
		}
		data = p.buf[p.from : p.from+size : p.from+size]
		p.from += size
		if size > packetLimit(data, p.limit) {
			return nil, false, errEventTooLarge
		}
		return data, true, nil
	}
	data, err = p.large(size)
	return data, false, err
}

// head takes a packet's head and gives its length.
func (p *packets) head() (int, error) {
	if err := p.fill(4); err != nil {
		return 0, err
	}
	h := p.buf[p.from : p.from+4]
	if h[3] != p.sequence {
		return 0, lost(fmt.Errorf("packet %d came where %d was due", h[3], p.sequence))
	}
	p.sequence++
	p.from += 4
	return int(uint24(h)), nil
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// packetHead is what tells the size and type of the event in a packet: a byte, then the event's header.
const packetHead = 1 + headerSize

// packetLimit is the largest packet of the kind that begins with head.
func packetLimit(head []byte, limit int) int {
	if len(head) < packetHead || head[0] != mysql.OK_HEADER {
		return limit
	}
	return eventLimit(head[1+4], limit)
}

// large reads a packet that does not fit the buffer, of which one of the full length goes on in the next. How long it is
// in all, only the event's own header tells.
func (p *packets) large(size int) ([]byte, error) {
	if err := p.fill(packetHead); err != nil {
		return nil, err
	}
	head := p.buf[p.from : p.from+packetHead]
	want := size
	if size == mysql.MaxPayloadLen && head[0] == mysql.OK_HEADER {
		want = int(binary.LittleEndian.Uint32(head[1+9:])) + 1
	}
	if want < size {
		return nil, lost(errors.New("a packet is longer than its event"))
	}
	if want > packetLimit(head, p.limit) {
		return nil, errEventTooLarge
	}
	data := make([]byte, 0, want)
	for {
		if size > want-len(data) {
			return nil, lost(errors.New("a packet is longer than its event"))
		}
		begin := len(data)
		data = data[:begin+size]
		n := copy(data[begin:], p.buf[p.from:p.to])
		p.from += n
		if _, err := io.ReadFull(p.conn, data[begin+n:]); err != nil {
			return nil, err
		}
		if size < mysql.MaxPayloadLen {
			return data, nil
		}
		var err error
		if size, err = p.head(); err != nil {
			return nil, err
		}
	}
}

// fill makes n bytes of the connection's next ones lie in one piece in buf, from p.from on. n is at most len(buf).
func (p *packets) fill(n int) error {
	if p.to-p.from >= n {
		return nil
	}
	// What is left is a part of one packet. At the front, what comes is written where a CPU's nearest cache still has the
	// memory: TLS gives 16 KiB at a time.
	p.to, p.from = copy(p.buf, p.buf[p.from:p.to]), 0
	read, err := io.ReadAtLeast(p.conn, p.buf[p.to:], n-(p.to-p.from))
	p.to += read
	return err
}
