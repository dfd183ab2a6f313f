package rowimage

import "strconv"

// opaque writes a value of a type that JSON does not have: a type byte (field_types.h), a length and the bytes. SQL
// has an expression for DECIMAL, DATE, TIME and DATETIME; the others are refused, since nothing that this process
// could write would give the value back with its type.
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
	case typeDate, typeTime, typeDatetime:
		if len(v) != 8 {
			return dst, errJSONCorrupt
		}
		return appendJSONTemporal(dst, typ, int64(littleEndian(v)))
	}
	return dst, errJSONOpaque
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
	dst = append(dst, "CAST('"...)
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
		return append(dst, "' AS DATE)"...), nil
	}
	if typ == typeDatetime {
		dst = append(dst, ' ')
	}
	hms := uint32(whole & (1<<17 - 1))
	if typ == typeTime {
		hms = uint32(whole & (1<<22 - 1))
	}
	dst = appendClock(dst, hms>>12, hms>>6&0x3f, hms&0x3f)
	if dst, err = appendFraction(dst, micro, 6); err != nil {
		return dst, err
	}
	if typ == typeTime {
		return append(dst, "' AS TIME(6))"...), nil
	}
	return append(dst, "' AS DATETIME(6))"...), nil
}
