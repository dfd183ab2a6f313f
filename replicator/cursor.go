package replicator

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// errShort means that an event ends before the field that is read from it.
var errShort = errors.New("the event is shorter than its fields")

// cursor reads little-endian fields from an event. After the first field that does not fit, err is set and every
// further read gives zero, so that a decoder checks once, at its end. It never reads outside the slice and never
// allocates more than the slice holds: events are input from a network peer.
type cursor struct {
	rest []byte
	err  error
}

// bytes takes the next n bytes, as a slice of the event.
func (c *cursor) bytes(n int) []byte {
	if c.err != nil || n < 0 || n > len(c.rest) {
		c.fail(errShort)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.rest = nil
}

// uint takes an unsigned integer of n bytes, 1 ≤ n ≤ 8.
func (c *cursor) uint(n int) uint64 {
	if len(c.rest) >= 8 { // Most fields have others behind them.
		v := binary.LittleEndian.Uint64(c.rest) & (1<<(8*n) - 1)
		c.rest = c.rest[n:]
		return v
	}
	var v uint64
	for i, b := range c.bytes(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) uint8() byte     { return byte(c.uint(1)) }
func (c *cursor) uint16() uint16  { return uint16(c.uint(2)) }
func (c *cursor) uint32() uint32  { return uint32(c.uint(4)) }
func (c *cursor) uint64() uint64  { return c.uint(8) }
func (c *cursor) skip(n int)      { c.bytes(n) }
func (c *cursor) done() bool      { return len(c.rest) == 0 }
func (c *cursor) string8() string { return string(c.bytes(int(c.uint8()))) }

// packed takes an integer of the client protocol's length-encoded form (1, 3, 4 or 9 bytes).
func (c *cursor) packed() uint64 {
	switch first := c.uint8(); first {
	case 0xfc:
		return c.uint(2)
	case 0xfd:
		return c.uint(3)
	case 0xfe:
		return c.uint(8)
	case 0xfb, 0xff: // NULL and the error marker are no integers.
		c.fail(errors.New("a length is not a length"))
		return 0
	default:
		return uint64(first)
	}
}

// terminated takes a string up to the next zero byte, which is dropped.
func (c *cursor) terminated() string {
	for i, b := range c.rest {
		if b == 0 {
			s := string(c.rest[:i])
			c.rest = c.rest[i+1:]
			return s
		}
	}
	c.fail(errShort)
	return ""
}

// varlen takes an unsigned integer of the mysql::serialization format: the number of low one bits in the first byte
// is the number of bytes that follow, at most 8.
// Layout: mysql/serialization/byte_count_helper.h and variable_length_integers.h.
func (c *cursor) varlen() uint64 {
	if len(c.rest) == 0 {
		c.fail(errShort)
		return 0
	}
	n := bits.TrailingZeros8(^c.rest[0]) + 1
	b := c.bytes(n)
	if b == nil {
		return 0
	}
	if n == 9 { // A first byte of ones only: the value is the next eight bytes, whole.
		return binary.LittleEndian.Uint64(b[1:])
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v >> n
}

// signedVarlen takes a signed integer of the same format: its lowest bit is the sign, and a negative v is stored as
// its complement.
func (c *cursor) signedVarlen() int64 {
	v := c.varlen()
	if v&1 == 1 {
		return ^int64(v >> 1)
	}
	return int64(v >> 1)
}
