package rowimage

import (
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

// escapes gives the letter behind the backslash for each byte that a quoted string, or a field of LOAD DATA, must not hold; 0
// for the others. NUL, newline, carriage return and Control-Z are escaped as mysql_real_escape_string does; a tab ends a field.
var escapes = [256]byte{0: '0', '\t': 't', '\n': 'n', '\r': 'r', 0x1a: 'Z', '\'': '\'', '"': '"', '\\': '\\'}

// appendEscaped writes the inside of a quoted string.
func appendEscaped(dst, s []byte) []byte {
	start := 0
	for i, b := range s {
		if e := escapes[b]; e != 0 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', e)
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

// appendLiteral writes the value v (without its length) of a column as an SQL literal that has the same value in
// the column's type, as inserted and as compared.
func (c *column) appendLiteral(dst, v []byte) ([]byte, error) {
	if c.packed {
		var err error
		if v, err = unpack(v); err != nil {
			return dst, err
		}
	}
	switch c.kind {
	case kindInt:
		return c.appendInt(dst, v), nil
	case kindText:
		return c.appendText(dst, v)
	case kindDecimal:
		return appendDecimal(dst, v, int(c.digits), int(c.scale))
	case kindFloat:
		return appendFloat(dst, float64(math.Float32frombits(uint32(littleEndian(v)))))
	case kindDouble:
		return appendFloat(dst, math.Float64frombits(littleEndian(v)))
	case kindBit:
		return strconv.AppendUint(dst, bigEndian(v), 10), nil
	case kindSet, kindEnum: // Index 0 of an ENUM too, which only a session that is not strict takes: see HasEnumZero.
		return strconv.AppendUint(dst, littleEndian(v), 10), nil
	case kindYear:
		return appendYear(dst, v[0]), nil
	case kindDate, kindTime, kindDatetime, kindTimestamp, kindOldTime, kindOldDatetime, kindOldTimestamp:
		return c.appendTemporal(dst, v)
	case kindBinary:
		return c.appendBinary(dst, v), nil
	case kindVector:
		if len(v) == 0 {
			return dst, errVectorEmpty
		}
		return c.appendBytes(dst, v), nil
	case kindBytes, kindGeometry:
		// The bytes of a GEOMETRY (its SRID, then WKB) and of a VECTOR (floats) are what the columns take as they are.
		return c.appendBytes(dst, v), nil
	case kindJSON:
		return appendJSON(dst, v)
	default: // kindUnknown is written nowhere.
		return dst, errCorrupt
	}
}

// appendBytes writes a binary string.
func (c *column) appendBytes(dst, v []byte) []byte {
	dst = append(dst, c.intro...)
	dst = appendEscaped(dst, v)
	return append(dst, '\'')
}

// appendOperand writes the value for a comparison with the column. It differs from the literal for a SET with its
// 64th member: the server compares a SET as a signed number.
func (c *column) appendOperand(dst, v []byte) ([]byte, error) {
	if c.kind == kindSet {
		return strconv.AppendInt(dst, int64(littleEndian(v)), 10), nil
	}
	return c.appendLiteral(dst, v)
}

// appendRowOperand writes the value for a comparison of row constructors, (`a`,`b`) IN ((1,2),(3,4)). There the server
// compares ENUM and SET as text, and would find nothing by number. See IdentityByNumber for what has no text of its own.
func (c *column) appendRowOperand(dst, v []byte) ([]byte, error) {
	if c.kind != kindEnum && c.kind != kindSet {
		return c.appendLiteral(dst, v)
	}
	value := littleEndian(v)
	dst = append(dst, '\'')
	if c.kind == kindEnum {
		if value < 1 || value > uint64(len(c.members)) {
			return dst, errEnumMember
		}
		return join(dst, c.members[value-1], "'"), nil
	}
	first := true
	for i, name := range c.members {
		if value>>i&1 == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, name...)
	}
	return append(dst, '\''), nil
}

// appendInt writes an integer; the image has it little-endian, in two's complement when it is signed.
func (c *column) appendInt(dst, v []byte) []byte {
	u := littleEndian(v)
	if c.unsigned {
		return strconv.AppendUint(dst, u, 10)
	}
	shift := 64 - 8*len(v)
	return strconv.AppendInt(dst, int64(u<<shift)>>shift, 10)
}

// appendText writes a string with its own bytes. One in UTF-8 is part of the statement's text, which is utf8mb4; one
// in another character set says so. Bytes that Go does not take for UTF-8 (a surrogate, which old servers allowed)
// go as hexadecimal, for the server to judge: servers since 8.0 refuse what is not valid, and none changes it.
func (c *column) appendText(dst, v []byte) ([]byte, error) {
	if len(v)%int(c.unit) != 0 {
		return dst, errTextUnit
	}
	if c.hex || c.utf8 && !utf8.Valid(v) {
		dst = append(dst, c.hexIntro...)
		return append(hex.AppendEncode(dst, v), '\''), nil
	}
	dst = append(dst, c.intro...)
	dst = appendEscaped(dst, v)
	return append(dst, '\''), nil
}

// appendBinary writes a BINARY(n). The image leaves trailing zero bytes out, but the server compares them: without
// the padding a key would match no row.
func (c *column) appendBinary(dst, v []byte) []byte {
	dst = append(dst, c.intro...)
	dst = appendEscaped(dst, v)
	for range c.pad - len(v) {
		dst = append(dst, '\\', '0')
	}
	return append(dst, '\'')
}

// appendFloat writes the shortest text that reads back as the same double. A FLOAT is widened before, as the
// server does to compare it. The exponent makes it a double for the server, so that -0e0 keeps its sign.
func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errNotFinite
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

// appendYear writes a YEAR, stored as years since 1900. Year 0 must be the text '0000': the string '0' is 2000, and
// so is the number 0 in some comparisons.
func appendYear(dst []byte, v byte) []byte {
	if v == 0 {
		return append(dst, "'0000'"...)
	}
	return strconv.AppendUint(dst, 1900+uint64(v), 10)
}

// appendTemporal writes a quoted temporal value with all digits of its fraction.
func (c *column) appendTemporal(dst, v []byte) (_ []byte, err error) {
	dst = append(dst, '\'')
	switch c.kind {
	case kindDate:
		dst, err = appendDateValue(dst, v)
	case kindTime:
		dst, err = appendTime2(dst, v, int(c.digits))
	case kindDatetime:
		dst, err = appendDatetime2(dst, v, int(c.digits))
	case kindTimestamp:
		dst, err = appendTimestamp2(dst, v, int(c.digits))
	case kindOldTime:
		dst, err = appendOldTime(dst, v)
	case kindOldDatetime:
		dst, err = appendOldDatetime(dst, v)
	case kindOldTimestamp:
		dst = appendOldTimestamp(dst, v)
	}
	return append(dst, '\''), err
}

// appendPredicate writes "the column has exactly this value", for a keyless table: byte-exact and NULL-safe.
func (c *column) appendPredicate(dst, v []byte, null bool) ([]byte, error) {
	switch {
	case null && c.kind == kindVector:
		return join(dst, c.name, " IS NULL"), nil // It takes no <=>. Elsewhere IS NULL would also find a zero date.
	case null:
		return join(dst, c.name, "<=>NULL"), nil
	case c.kind == kindText:
		if c.packed {
			var err error
			if v, err = unpack(v); err != nil {
				return dst, err
			}
		}
		// A collation takes 'a' and 'A' for equal; the wrong one of two rows would be changed.
		dst = join(dst, "CAST(", c.name, " AS BINARY)<=>_binary'")
		return append(appendEscaped(dst, v), '\''), nil
	case c.kind == kindVector:
		// The server compares a VECTOR with nothing (error 1210).
		return c.appendBytes(join(dst, "CAST(", c.name, " AS BINARY)<=>"), v), nil
	case c.kind == kindJSON:
		return c.appendJSONPredicate(dst, v)
	}
	dst, err := c.appendOperand(join(dst, c.name, "<=>"), v)
	if err == nil && (c.kind == kindFloat || c.kind == kindDouble) {
		dst = c.appendZeroSign(dst, v)
	}
	return dst, err
}

// appendZeroSign tells 0 and -0 apart, which compare as equal; their texts differ.
func (c *column) appendZeroSign(dst, v []byte) []byte {
	switch signBit := uint64(1) << (8*len(v) - 1); littleEndian(v) {
	case 0:
		return join(dst, " AND CAST(", c.name, " AS CHAR) NOT LIKE '-%'")
	case signBit:
		return join(dst, " AND CAST(", c.name, " AS CHAR) LIKE '-%'")
	}
	return dst
}

// appendJSONPredicate compares a JSON column. A JSON column equals no string, so the text is cast. Documents with 1
// and with 1.0 compare as equal; the server's own texts of them differ, so these are compared too. Where the texts do
// not differ either, the types do.
func (c *column) appendJSONPredicate(dst, v []byte) ([]byte, error) {
	dst = join(dst, c.name, "<=>")
	start := len(dst)
	dst, err := appendJSON(append(dst, "CAST("...), v)
	if err != nil {
		return dst, err
	}
	dst = append(dst, " AS JSON)"...)
	value := string(dst[start:])
	dst = join(dst, " AND CAST(", c.name, " AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin<=>CAST(")
	dst = join(dst, value, " AS CHAR CHARACTER SET utf8mb4)")
	types := jsonTypes{column: c.name}
	return types.append(dst, v, value)
}

// join appends strings.
func join(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}
