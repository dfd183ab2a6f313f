package rowimage

// Temporal values with fractions (my_time.cc, my_time_packed_to_binary and its siblings): the whole seconds
// big-endian with an offset that makes negative values sort first, then a byte for each two digits of the fraction.
const (
	timeOffset     = 0x800000       // TIMEF_INT_OFS
	timeOffset6    = 0x800000000000 // TIMEF_OFS
	datetimeOffset = 0x8000000000   // DATETIMEF_INT_OFS
)

// fraction reads the digits behind the seconds as microseconds.
func fraction(b []byte) uint32 {
	v := uint32(bigEndian(b))
	switch len(b) {
	case 1:
		return v * 10000
	case 2:
		return v * 100
	default:
		return v
	}
}

// appendFraction writes "." and fsp digits of micro; nothing when fsp is 0.
func appendFraction(dst []byte, micro uint32, fsp int) ([]byte, error) {
	if micro > 999999 {
		return dst, errCorrupt
	}
	if fsp == 0 {
		return dst, nil
	}
	dst = append(dst, '.')
	return appendDigits(dst, micro/pow10[6-fsp], fsp), nil
}

// appendDate writes "YYYY-MM-DD". Zero and invalid days are written as they are.
func appendDate(dst []byte, year, month, day uint32) []byte {
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, month, 2)
	dst = append(dst, '-')
	return appendDigits(dst, day, 2)
}

// appendClock writes "HH:MM:SS", the hour with two digits or three.
func appendClock(dst []byte, hour, minute, second uint32) []byte {
	if hour > 99 {
		dst = appendDigits(dst, hour, 3)
	} else {
		dst = appendDigits(dst, hour, 2)
	}
	dst = append(dst, ':')
	dst = appendDigits(dst, minute, 2)
	dst = append(dst, ':')
	return appendDigits(dst, second, 2)
}

// appendDateValue writes a DATE: three bytes little-endian, day in 5 bits, month in 4, year in 15.
func appendDateValue(dst, v []byte) ([]byte, error) {
	d := uint32(littleEndian(v))
	if d>>9 > 9999 {
		return dst, errCorrupt
	}
	return appendDate(dst, d>>9, d>>5&15, d&31), nil
}

// appendTime2 writes a TIME: a sign, 10 bits of hours, 6 of minutes, 6 of seconds.
func appendTime2(dst, v []byte, fsp int) ([]byte, error) {
	packed := packedTime(v)
	if packed < 0 {
		dst = append(dst, '-')
		packed = -packed
	}
	hms, micro := uint32(packed>>24), uint32(packed&0xffffff)
	dst = appendClock(dst, hms>>12&0x3ff, hms>>6&0x3f, hms&0x3f)
	return appendFraction(dst, micro, fsp)
}

// packedTime gives a TIME as whole seconds << 24 + microseconds, negative as a whole. The fraction of a negative
// value is stored as a complement, so that the bytes sort (-00:00:00.01 is 7FFFFF.FF): read as one signed number of
// all its bytes, the value comes out right; only the fraction's unit differs.
func packedTime(v []byte) int64 {
	n := len(v) - 3
	if n == 3 {
		return int64(bigEndian(v)) - timeOffset6
	}
	signed := int64(bigEndian(v)) - timeOffset<<(8*n)
	negative := signed < 0
	if negative {
		signed = -signed
	}
	whole, frac := signed>>(8*n), signed&(1<<(8*n)-1)
	switch n {
	case 1:
		frac *= 10000
	case 2:
		frac *= 100
	}
	packed := whole<<24 + frac
	if negative {
		return -packed
	}
	return packed
}

// appendDatetime2 writes a DATETIME: 17 bits of year*13+month, 5 of day, 5 of hours, 6 of minutes, 6 of seconds.
func appendDatetime2(dst, v []byte, fsp int) ([]byte, error) {
	whole := bigEndian(v[:5])
	if whole < datetimeOffset {
		return dst, errCorrupt
	}
	whole -= datetimeOffset
	ymd, hms := uint32(whole>>17), uint32(whole&(1<<17-1))
	ym := ymd >> 5
	if ym/13 > 9999 {
		return dst, errCorrupt
	}
	dst = appendDate(dst, ym/13, ym%13, ymd&31)
	dst = append(dst, ' ')
	dst = appendClock(dst, hms>>12, hms>>6&0x3f, hms&0x3f)
	return appendFraction(dst, fraction(v[5:]), fsp)
}

// appendTimestamp2 writes a TIMESTAMP in UTC. Second 0 of the epoch is the zero date, whatever its fraction
// (Field_timestampf::get_date).
func appendTimestamp2(dst, v []byte, fsp int) ([]byte, error) {
	seconds := uint32(bigEndian(v[:4]))
	if seconds == 0 {
		dst = appendDate(dst, 0, 0, 0)
		dst = append(dst, ' ')
		dst = appendClock(dst, 0, 0, 0)
		return appendFraction(dst, 0, fsp)
	}
	return appendFraction(appendSeconds(dst, seconds), fraction(v[4:]), fsp)
}

// The formats before MySQL 5.6.4 (field.cc, Field_time, Field_datetime and Field_timestamp): little-endian numbers.
// TIME and DATETIME are decimal, the TIME -12:34:56 is -123456 and the DATETIME 2024-02-29 12:34:56 is 20240229123456;
// TIMESTAMP is seconds of the epoch.

// appendOldTime writes a TIME of three bytes, in two's complement.
func appendOldTime(dst, v []byte) ([]byte, error) {
	hms := int32(uint32(littleEndian(v))<<8) >> 8
	if hms < 0 {
		dst = append(dst, '-')
		hms = -hms
	}
	hour, minute, second := uint32(hms/10000), uint32(hms/100%100), uint32(hms%100)
	if minute > 59 || second > 59 {
		return dst, errCorrupt
	}
	return appendClock(dst, hour, minute, second), nil
}

// appendOldDatetime writes a DATETIME of eight bytes.
func appendOldDatetime(dst, v []byte) ([]byte, error) {
	u := littleEndian(v)
	date, clock := u/1000000, uint32(u%1000000)
	if date > 99991231 || clock > 235959 || clock/100%100 > 59 || clock%100 > 59 {
		return dst, errCorrupt
	}
	ymd := uint32(date)
	dst = append(appendDate(dst, ymd/10000, ymd/100%100, ymd%100), ' ')
	return appendClock(dst, clock/10000, clock/100%100, clock%100), nil
}

// appendOldTimestamp writes a TIMESTAMP of four bytes, in UTC; 0 is the zero date.
func appendOldTimestamp(dst, v []byte) []byte {
	seconds := uint32(littleEndian(v))
	if seconds == 0 {
		return append(dst, "0000-00-00 00:00:00"...)
	}
	return appendSeconds(dst, seconds)
}

// appendSeconds writes seconds of the epoch as date and time, in UTC.
func appendSeconds(dst []byte, seconds uint32) []byte {
	year, month, day := civil(seconds / 86400)
	dst = append(appendDate(dst, year, month, day), ' ')
	clock := seconds % 86400
	return appendClock(dst, clock/3600, clock/60%60, clock%60)
}

// civil turns days since 1970-01-01 into a date of the Gregorian calendar. It counts years from March, so that the
// leap day is a year's last (the well-known algorithm of days in 400-year eras; days here are never negative).
func civil(days uint32) (year, month, day uint32) {
	z := days + 719468 // Days from 0000-03-01 to 1970-01-01.
	era := z / 146097
	dayOfEra := z % 146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153 // 0 is March.
	day = dayOfYear - (153*m+2)/5 + 1
	month = m + 3
	if month > 12 {
		month -= 12
	}
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}
