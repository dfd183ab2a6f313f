package rowimage

import (
	"fmt"
	"strconv"
)

// decimalBytes is the size of a group of fewer than nine digits (decimal.cc, dig2bytes).
var decimalBytes = [10]uint8{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// decimalWire measures NEWDECIMAL. Layout (decimal.cc, decimal2bin): the digits before the point, then those
// behind it, nine to four bytes, big-endian; the left-over digits of each side take fewer bytes and stand outermost.
// The top bit is inverted, and all bits are for a negative number, so that values sort as bytes.
func decimalWire(meta uint16) (wire, error) {
	precision, scale := int(meta>>8), int(meta&0xff)
	if precision < 1 || precision > maxPrecision || scale > maxScale || scale > precision {
		return wire{}, fmt.Errorf("DECIMAL(%d,%d)", precision, scale)
	}
	return wire{width: decimalWidth(precision, scale)}, nil
}

// The largest DECIMAL (my_decimal.h).
const (
	maxPrecision = 65
	maxScale     = 30
)

// decimalWidth is the size of a NEWDECIMAL, in bytes.
func decimalWidth(precision, scale int) uint8 {
	whole := precision - scale
	return uint8(whole/9*4+scale/9*4) + decimalBytes[whole%9] + decimalBytes[scale%9]
}

// appendDecimal writes a NEWDECIMAL digit for digit: as many behind the point as its scale, at least one before it.
func appendDecimal(dst, v []byte, precision, scale int) ([]byte, error) {
	mask := uint32(0)
	if v[0]&0x80 == 0 {
		mask = 0xffffffff
		dst = append(dst, '-')
	}
	first := true // The sign bit is in the first group's first byte.
	start := len(dst)
	group := func(digits int) bool {
		n := int(decimalBytes[digits])
		x := uint32(bigEndian(v[:n]))
		if first {
			x ^= 1 << (8*n - 1)
			first = false
		}
		x ^= mask & uint32(1<<(8*n)-1)
		v = v[n:]
		if len(dst) == start { // Nothing but zeros so far.
			if x != 0 {
				dst = strconv.AppendUint(dst, uint64(x), 10)
			}
			return x < pow10[digits]
		}
		dst = appendDigits(dst, x, digits)
		return x < pow10[digits]
	}
	valid := true
	whole := precision - scale
	if whole%9 != 0 {
		valid = group(whole%9) && valid
	}
	for range whole / 9 {
		valid = group(9) && valid
	}
	if len(dst) == start {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
	}
	for range scale / 9 {
		valid = group(9) && valid
	}
	if scale%9 != 0 {
		valid = group(scale%9) && valid
	}
	if !valid {
		return dst, errCorrupt
	}
	return dst, nil
}

// pow10 holds 10^n: one more than the largest group of n digits.
var pow10 = [10]uint32{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000}

// appendDigits writes v with exactly n digits, padded with zeros before it.
func appendDigits(dst []byte, v uint32, n int) []byte {
	for i := n - 1; i > 0 && v < pow10[i]; i-- {
		dst = append(dst, '0')
	}
	if n == 0 {
		return dst
	}
	return strconv.AppendUint(dst, uint64(v), 10)
}
