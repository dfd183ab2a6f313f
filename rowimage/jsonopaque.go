package rowimage

import "strconv"

// The types of binary strings within JSON that no column of a table map has (field_types.h).
const (
	jsonMediumBlob = 250
	jsonLongBlob   = 251
)

// maxBinary is the n of the widest BINARY(n).
const maxBinary = 255

// opaque writes a value of a type that JSON does not have: a type byte (field_types.h), a length and the bytes. Each
// expression below was seen to give its type back, by the server's own text of the value (base64:type15:…); a type
// that no expression gives is refused.
func (w *jsonWriter) opaque(dst, b []byte) ([]byte, error) {
	if len(b) < 1 {
		return dst, errJSONCorrupt
	}
	typ := b[0]
	v, err := w.payload(b[1:])
	if err != nil {
		return dst, err
	}
	switch typ {
	case typeNewDecimal:
		return appendJSONDecimal(dst, v)
	case typeDate, typeTime, typeDatetime, typeTimestamp:
		if len(v) != 8 {
			return dst, errJSONCorrupt
		}
		return appendJSONTemporal(dst, typ, int64(littleEndian(v)))
	case typeBit:
		if len(v) < 1 || len(v) > 8 {
			return dst, errJSONCorrupt
		}
		dst = strconv.AppendUint(append(dst, "(SELECT x FROM JSON_TABLE('"...), bigEndian(v), 10)
		dst = strconv.AppendInt(append(dst, "','$' COLUMNS(x BIT("...), int64(8*len(v)), 10)
		return append(dst, jsonTableEnd...), nil
	}
	return appendJSONBinary(dst, typ, v)
}

// jsonTableEnd closes a subquery over a JSON_TABLE of one column. Without ERROR ON ERROR a value that does not fit
// would become NULL without a word.
const jsonTableEnd = ") PATH '$' ERROR ON ERROR)) AS t)"

// appendJSONBinary writes a binary string. The server takes the type of the expression that the value comes from: a
// literal is a VARBINARY, IF has the longer type of its branches, of which the second is never computed, IFNULL that
// of its first operand, and JSON_TABLE that of its column.
func appendJSONBinary(dst []byte, typ byte, v []byte) ([]byte, error) {
	before, after := "", ""
	switch {
	case typ == typeVarchar:
	case typ == jsonMediumBlob:
		before, after = "IF(1,", ",CAST('' AS BINARY(70000)))"
	case typ == jsonLongBlob:
		before, after = "IF(1,", ",UNCOMPRESS(''))"
	case typ == typeBlob:
		before, after = "(SELECT IFNULL(x,", ") FROM JSON_TABLE('null','$' COLUMNS(x BLOB PATH '$')) AS t)"
	case typ == typeString && len(v) <= maxBinary:
		before = "(SELECT x FROM JSON_TABLE(JSON_ARRAY("
		after = "),'$[0]' COLUMNS(x BINARY(" + strconv.Itoa(len(v)) + jsonTableEnd
	default:
		return dst, errJSONOpaque
	}
	dst = appendEscaped(join(dst, before, "_binary'"), v)
	return join(dst, "'", after), nil
}

// appendJSONDecimal writes precision, scale and the bytes of a NEWDECIMAL. The server gives a literal the precision
// that its digits have (1.50 is DECIMAL(3,2), .5 is DECIMAL(1,1)); the result of a CAST has its digits before the
// point counted by whole groups of nine. Of the two the one is taken that gives the same precision again.
func appendJSONDecimal(dst, v []byte) ([]byte, error) {
	if len(v) < 2 {
		return dst, errJSONCorrupt
	}
	precision, scale := int(v[0]), int(v[1])
	if precision < 1 || precision > maxPrecision+9 || scale > maxScale || scale > precision ||
		len(v) != 2+int(decimalWidth(precision, scale)) {
		return dst, errJSONCorrupt
	}
	var buf [maxPrecision + 12]byte
	digits, err := appendDecimal(buf[:0], v[2:], precision, scale)
	if err != nil {
		return dst, err
	}
	sign := digits[:0]
	if digits[0] == '-' {
		sign, digits = digits[:1], digits[1:]
	}
	point := len(digits) // Digits before the point.
	if scale > 0 {
		point -= scale + 1
	}
	switch whole := precision - scale; whole {
	case 0:
		return append(append(dst, sign...), digits[point:]...), nil
	case point:
		return append(append(dst, sign...), digits...), nil
	}
	dst = append(append(append(dst, "CAST("...), sign...), digits...)
	dst = strconv.AppendInt(append(dst, " AS DECIMAL("...), int64(min(precision, maxPrecision)), 10)
	dst = strconv.AppendInt(append(dst, ','), int64(scale), 10)
	return append(dst, "))"...), nil
}

// appendJSONTemporal writes a packed temporal value (my_time.cc, TIME_to_longlong_packed): seconds and above as in
// the columns' own formats, shifted left by 24 bits of microseconds.
func appendJSONTemporal(dst []byte, typ byte, packed int64) (_ []byte, err error) {
	before, after := "CAST('", "' AS DATETIME(6))"
	switch typ {
	case typeDate:
		after = "' AS DATE)"
	case typeTime:
		after = "' AS TIME(6))"
	case typeTimestamp: // No function gives one, but a column does.
		before, after = `(SELECT x FROM JSON_TABLE('"`, `"','$' COLUMNS(x TIMESTAMP(6`+jsonTableEnd
	}
	dst = append(dst, before...)
	if packed < 0 {
		if typ != typeTime {
			return dst, errJSONCorrupt
		}
		dst = append(dst, '-')
		packed = -packed
	}
	whole, micro := uint64(packed)>>24, uint32(packed&0xffffff)
	if typ != typeTime {
		ymd := uint32(whole >> 17)
		if ymd>>5/13 > 9999 {
			return dst, errJSONCorrupt
		}
		dst = appendDate(dst, ymd>>5/13, ymd>>5%13, ymd&31)
	}
	if typ == typeDate {
		return append(dst, after...), nil
	}
	hms := uint32(whole & (1<<22 - 1))
	if typ != typeTime {
		dst = append(dst, ' ')
		hms = uint32(whole & (1<<17 - 1))
	}
	dst = appendClock(dst, hms>>12, hms>>6&0x3f, hms&0x3f)
	if dst, err = appendFraction(dst, micro, 6); err != nil {
		return dst, err
	}
	return append(dst, after...), nil
}
