package rowimage

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Wire types of columns (field_types.h, enum_field_types), as TABLE_MAP names them. Types that a binary log never
// holds (NEWDATE, ENUM, SET, TINY_BLOB, MEDIUM_BLOB, LONG_BLOB, TYPED_ARRAY as a column's own type) have no entry:
// ENUM and SET travel as STRING with their real type in the metadata, all BLOBs as BLOB.
const (
	typeDecimal    = 0 // Before 5.0.
	typeTiny       = 1
	typeShort      = 2
	typeLong       = 3
	typeFloat      = 4
	typeDouble     = 5
	typeNull       = 6
	typeTimestamp  = 7 // Before 5.6.4.
	typeLonglong   = 8
	typeInt24      = 9
	typeDate       = 10
	typeTime       = 11 // Before 5.6.4.
	typeDatetime   = 12 // Before 5.6.4.
	typeYear       = 13
	typeVarchar    = 15
	typeBit        = 16
	typeTimestamp2 = 17
	typeDatetime2  = 18
	typeTime2      = 19

	typeBlobCompressed    = 140 // MariaDB: see unpack.
	typeVarcharCompressed = 141

	typeVector     = 242
	typeJSON       = 245
	typeNewDecimal = 246
	typeEnum       = 247 // Only as the real type of a STRING.
	typeSet        = 248 // Only as the real type of a STRING.
	typeBlob       = 252
	typeVarString  = 253
	typeString     = 254
	typeGeometry   = 255
)

// errShort: a value, a bitmap or a field reaches beyond the end of its bytes.
var errShort = errors.New("cut off: shorter than its own length says")

// wire is how many bytes a value of a column takes in an image.
type wire struct {
	prefix uint8 // Bytes of the little-endian length before the value, 1 to 4; 0: the value has a fixed width.
	width  uint8 // Bytes of a value of fixed width.
}

// wireOf derives a column's width from its TABLE_MAP type and metadata; the layout of the metadata is described at
// ParseTableMap. It knows more types than Bind accepts: also rows of tables that nobody includes must be measured.
func wireOf(typ byte, meta uint16) (wire, error) {
	switch typ {
	case typeNull:
		return wire{}, nil
	case typeTiny, typeYear:
		return wire{width: 1}, nil
	case typeShort:
		return wire{width: 2}, nil
	case typeInt24, typeDate, typeTime:
		return wire{width: 3}, nil
	case typeLong, typeFloat, typeTimestamp:
		return wire{width: 4}, nil
	case typeLonglong, typeDouble, typeDatetime:
		return wire{width: 8}, nil
	case typeTime2, typeDatetime2, typeTimestamp2:
		return temporalWire(typ, meta)
	case typeNewDecimal:
		return decimalWire(meta)
	case typeBit:
		bits := bitCount(meta)
		if bits < 1 || bits > 64 {
			return wire{}, fmt.Errorf("BIT of %d bits", bits)
		}
		return wire{width: uint8((bits + 7) / 8)}, nil
	case typeVarchar, typeVarString, typeVarcharCompressed:
		return lengthWire(int(meta)), nil
	case typeBlob, typeGeometry, typeJSON, typeVector, typeBlobCompressed:
		if meta < 1 || meta > 4 {
			return wire{}, fmt.Errorf("BLOB with a length of %d bytes", meta)
		}
		return wire{prefix: uint8(meta)}, nil
	case typeString:
		return stringWire(meta)
	}
	return wire{}, fmt.Errorf("column type %d is not known", typ)
}

// lengthWire is the wire of a string of at most n bytes: one byte of length up to 255, else two.
func lengthWire(n int) wire {
	if n < 256 {
		return wire{prefix: 1}
	}
	return wire{prefix: 2}
}

// stringWire measures the types that share STRING: CHAR, BINARY, ENUM and SET.
func stringWire(meta uint16) (wire, error) {
	real, length := realString(meta)
	switch {
	case real == typeString:
		return lengthWire(length), nil
	case real == typeEnum && (length == 1 || length == 2),
		real == typeSet && length >= 1 && length <= 8:
		return wire{width: uint8(length)}, nil
	}
	return wire{}, fmt.Errorf("string of real type %d and length %d is not known", real, length)
}

// realString takes a STRING column's metadata apart: its real type (STRING, ENUM or SET) and its length in bytes.
// Bits 8 and 9 of a CHAR's length are folded, inverted, into bits 4 and 5 of the type byte, which are set in each
// real type (Field_string::do_save_field_metadata).
func realString(meta uint16) (real byte, length int) {
	real, length = byte(meta>>8), int(meta&0xff)
	if real&0x30 != 0x30 {
		length |= int(real&0x30^0x30) << 4
		real |= 0x30
	}
	return real, length
}

// bitCount is the n of BIT(n): whole bytes in the high byte of the metadata, left-over bits in the low one.
func bitCount(meta uint16) int { return int(meta>>8)*8 + int(meta&0xff) }

// temporalWire measures the temporal types with fractions: each two digits take a byte.
func temporalWire(typ byte, fsp uint16) (wire, error) {
	if fsp > 6 {
		return wire{}, fmt.Errorf("%d digits of fractional seconds", fsp)
	}
	fraction := uint8(fsp+1) / 2
	switch typ {
	case typeTime2:
		return wire{width: 3 + fraction}, nil
	case typeTimestamp2:
		return wire{width: 4 + fraction}, nil
	default:
		return wire{width: 5 + fraction}, nil
	}
}

// cut takes the column's value off data: the value without its length, and what follows. ok is false when data is
// too short.
func (w wire) cut(data []byte) (val, rest []byte, ok bool) {
	n, p := int(w.width), int(w.prefix)
	if p != 0 {
		if len(data) < p {
			return nil, nil, false
		}
		n = int(littleEndian(data[:p]))
	}
	if len(data)-p < n {
		return nil, nil, false
	}
	return data[p : p+n], data[p+n:], true
}

// littleEndian reads an unsigned number of up to 8 bytes.
func littleEndian(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}

// bigEndian reads an unsigned number of up to 8 bytes.
func bigEndian(b []byte) uint64 {
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}

// bit reports bit i of a bitmap, low bit first.
func bit(bitmap []byte, i int) bool { return bitmap[i>>3]&(1<<(i&7)) != 0 }

// bitmapLen is the length of a bitmap of n bits, in bytes.
func bitmapLen(n int) int { return (n + 7) / 8 }

// reader takes fields off an event's body. After the first field that does not fit, bad is set and every further
// read gives zero values.
type reader struct {
	data []byte
	bad  bool
}

// take gives the next n bytes, or nil.
func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.data) {
		r.bad = true
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// uint reads a little-endian number of n bytes.
func (r *reader) uint(n int) uint64 { return littleEndian(r.take(n)) }

// packed reads a length-encoded integer (mysys, net_field_length_ll); NULL (251) and 255 are no numbers.
func (r *reader) packed() uint64 {
	switch first := r.uint(1); first {
	case 251, 255:
		r.bad = true
		return 0
	case 252:
		return r.uint(2)
	case 253:
		return r.uint(3)
	case 254:
		return r.uint(8)
	default:
		return first
	}
}

// length reads a length-encoded integer that counts bytes (or, with per > 1, groups of them) of what is left.
func (r *reader) length(per int) int {
	n := r.packed()
	if n > uint64(len(r.data))*uint64(per) {
		r.bad = true
		return 0
	}
	return int(n)
}
