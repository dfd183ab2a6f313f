package rowimage

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// Types of binary JSON values (json_binary.cc, JSONB_TYPE_*).
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// maxJSONDepth is the deepest nesting that the server reads (JSON_DOCUMENT_MAX_DEPTH).
const maxJSONDepth = 100

// errJSONText asks for the document once more as an expression: its text would read back with another type.
var errJSONText = errors.New("JSON text cannot express the value")

// jsonWriter turns one binary JSON document into SQL.
//
// A document becomes the text that the server parses back into the same values: '{"a":1}'. Where text would change a
// value's type, the whole document becomes an expression that builds it: JSON_OBJECT('a',CAST(1 AS UNSIGNED)).
//
// Layout (json_binary.h): a type byte, then the value. An object or array has a count and a size in bytes, then an
// entry per key (offset, length) and per value (type, offset or the value itself when it fits), then keys and
// values; numbers take two bytes in the small form and four in the large one, offsets count from the value's start.
type jsonWriter struct {
	expression bool
	// budget is how many bytes of the document may still be read. A whole document reads each byte at most once; a
	// damaged one may point to the same bytes from many places, and would unfold without end.
	budget int
}

// appendJSON writes a JSON document as an SQL expression whose value, put into a JSON column, is the same document.
func appendJSON(dst, doc []byte) ([]byte, error) {
	if len(doc) == 0 {
		return dst, errJSONEmpty
	}
	w := jsonWriter{budget: len(doc)}
	out, err := w.value(append(dst, '\''), doc[0], doc[1:], 1)
	if err == errJSONText {
		w = jsonWriter{expression: true, budget: len(doc)}
		return w.root(dst, doc)
	}
	return append(out, '\''), err
}

// jsonIsText reports whether appendJSON writes the document as a text. Of a damaged one it may say either.
func jsonIsText(doc []byte) bool {
	w := jsonWriter{budget: len(doc)}
	return len(doc) > 0 && w.isText(doc[0], doc[1:], 1)
}

// isText is jsonIsText of one value.
func (w *jsonWriter) isText(typ byte, b []byte, depth int) bool {
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		c, ok := openContainer(typ, b)
		if !ok || depth > maxJSONDepth || !w.spend(c.header) {
			return false
		}
		for i := range c.count {
			if typ, v, ok := c.value(i); !ok || !w.isText(typ, v, depth+1) {
				return false
			}
		}
	case jsonUint16, jsonUint32, jsonOpaque:
		return false
	case jsonUint64:
		return len(b) >= 8 && littleEndian(b[:8]) > math.MaxInt64
	}
	return true
}

// root writes a document as an expression; a value outside of JSON_OBJECT and JSON_ARRAY must be cast.
func (w *jsonWriter) root(dst, doc []byte) ([]byte, error) {
	if doc[0] <= jsonLargeArray {
		return w.value(dst, doc[0], doc[1:], 1)
	}
	dst, err := w.value(append(dst, "CAST("...), doc[0], doc[1:], 1)
	return append(dst, " AS JSON)"...), err
}

// spend takes n bytes from the budget.
func (w *jsonWriter) spend(n int) bool {
	w.budget -= n
	return w.budget >= 0
}

// value writes the value of a type that begins with b, which may be longer than it.
func (w *jsonWriter) value(dst []byte, typ byte, b []byte, depth int) ([]byte, error) {
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return w.container(dst, typ, b, depth)
	case jsonLiteral:
		return w.literal(dst, b)
	case jsonInt16, jsonInt32, jsonInt64, jsonUint16, jsonUint32, jsonUint64:
		return w.integer(dst, typ, b)
	case jsonDouble:
		if len(b) < 8 {
			return dst, errJSONCorrupt
		}
		// With its exponent it reads back as a double, also when it is whole.
		return appendFloat(dst, math.Float64frombits(littleEndian(b[:8])))
	case jsonString:
		s, err := w.payload(b)
		if err != nil {
			return dst, err
		}
		return w.text(dst, s)
	case jsonOpaque:
		if !w.expression {
			return dst, errJSONText
		}
		return w.opaque(dst, b)
	}
	return dst, errJSONCorrupt
}

// container writes an object or array.
func (w *jsonWriter) container(dst []byte, typ byte, b []byte, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return dst, errJSONDepth
	}
	c, ok := openContainer(typ, b)
	if !ok || !w.spend(c.header) {
		return dst, errJSONCorrupt
	}
	dst = w.open(dst, c.object)
	for i := range c.count {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if c.object {
			key, ok := c.key(i)
			if !ok || !w.spend(len(key)) {
				return dst, errJSONCorrupt
			}
			if dst, err = w.text(dst, key); err != nil {
				return dst, err
			}
			dst = append(dst, w.colon())
		}
		typ, v, ok := c.value(i)
		if !ok {
			return dst, errJSONCorrupt
		}
		if dst, err = w.value(dst, typ, v, depth+1); err != nil {
			return dst, err
		}
	}
	return w.close(dst, c.object), nil
}

func (w *jsonWriter) open(dst []byte, object bool) []byte {
	switch {
	case w.expression && object:
		return append(dst, "JSON_OBJECT("...)
	case w.expression:
		return append(dst, "JSON_ARRAY("...)
	case object:
		return append(dst, '{')
	}
	return append(dst, '[')
}

func (w *jsonWriter) close(dst []byte, object bool) []byte {
	switch {
	case w.expression:
		return append(dst, ')')
	case object:
		return append(dst, '}')
	}
	return append(dst, ']')
}

// colon separates a key from its value.
func (w *jsonWriter) colon() byte {
	if w.expression {
		return ','
	}
	return ':'
}

// jsonContainer gives access to the entries of an object or array.
type jsonContainer struct {
	data   []byte // From the count on; exactly the container's size.
	width  int    // Bytes per count, size and offset: 2 or 4.
	count  int
	header int // Bytes before the first key or value.
	object bool
}

// openContainer reads a container's head and checks that its entries are inside of it.
func openContainer(typ byte, b []byte) (c jsonContainer, ok bool) {
	c.object = typ == jsonSmallObject || typ == jsonLargeObject
	c.width = 2
	if typ == jsonLargeObject || typ == jsonLargeArray {
		c.width = 4
	}
	if len(b) < 2*c.width {
		return c, false
	}
	c.count = int(littleEndian(b[:c.width]))
	size := int(littleEndian(b[c.width : 2*c.width]))
	c.header = c.values() + c.count*(1+c.width)
	if c.header > size || size > len(b) {
		return c, false
	}
	c.data = b[:size]
	return c, true
}

// values is where the value entries begin.
func (c *jsonContainer) values() int {
	if c.object {
		return 2*c.width + c.count*(c.width+2)
	}
	return 2 * c.width
}

// key gives the name of an object's member.
func (c *jsonContainer) key(i int) ([]byte, bool) {
	entry := c.data[2*c.width+i*(c.width+2):]
	offset, length := int(littleEndian(entry[:c.width])), int(littleEndian(entry[c.width:c.width+2]))
	if offset < c.header || offset+length > len(c.data) {
		return nil, false
	}
	return c.data[offset : offset+length], true
}

// value gives a member's type, and the bytes that begin with its value. Small values stand in the entry itself.
func (c *jsonContainer) value(i int) (typ byte, v []byte, ok bool) {
	at := c.values() + i*(1+c.width)
	typ, entry := c.data[at], c.data[at+1:at+1+c.width]
	switch typ {
	case jsonLiteral, jsonInt16, jsonUint16:
		return typ, entry, true
	case jsonInt32, jsonUint32:
		if c.width == 4 {
			return typ, entry, true
		}
	}
	offset := int(littleEndian(entry))
	if offset < c.header || offset > len(c.data) {
		return 0, nil, false
	}
	return typ, c.data[offset:], true
}

// literal writes null, true or false.
func (w *jsonWriter) literal(dst, b []byte) ([]byte, error) {
	if len(b) < 1 || b[0] > 2 {
		return dst, errJSONCorrupt
	}
	word := [...]string{"null", "true", "false"}[b[0]]
	if w.expression {
		return join(dst, "CAST('", word, "' AS JSON)"), nil
	}
	return append(dst, word...), nil
}

// integer writes a number without a fraction. The server reads one without a sign as unsigned only when it does
// not fit a signed one.
func (w *jsonWriter) integer(dst []byte, typ byte, b []byte) ([]byte, error) {
	width := 2
	switch typ {
	case jsonInt32, jsonUint32:
		width = 4
	case jsonInt64, jsonUint64:
		width = 8
	}
	if len(b) < width {
		return dst, errJSONCorrupt
	}
	u := littleEndian(b[:width])
	unsigned := typ == jsonUint16 || typ == jsonUint32 || typ == jsonUint64
	switch {
	case !unsigned:
		shift := 64 - 8*width
		v := int64(u<<shift) >> shift
		if w.expression {
			return append(strconv.AppendInt(append(dst, "CAST("...), v, 10), " AS SIGNED)"...), nil
		}
		return strconv.AppendInt(dst, v, 10), nil
	case w.expression:
		return append(strconv.AppendUint(append(dst, "CAST("...), u, 10), " AS UNSIGNED)"...), nil
	case u <= math.MaxInt64:
		return dst, errJSONText
	}
	return strconv.AppendUint(dst, u, 10), nil
}

// payload cuts a value with a length before it.
func (w *jsonWriter) payload(b []byte) ([]byte, error) {
	n, width, ok := jsonLength(b)
	if !ok || !w.spend(n) {
		return nil, errJSONCorrupt
	}
	return b[width : width+n], nil
}

// jsonLength reads the length before a value: seven bits to a byte, low ones first, at most five bytes. width is how many
// there are. ok is false when the value is cut off.
func jsonLength(b []byte) (n, width int, ok bool) {
	for i := 0; i < 5 && i < len(b); i++ {
		n |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return n, i + 1, n <= len(b)-i-1
		}
	}
	return 0, 0, false
}

// text writes a string or a key.
func (w *jsonWriter) text(dst, s []byte) ([]byte, error) {
	if !utf8.Valid(s) {
		return dst, errJSONUTF8
	}
	if w.expression {
		dst = appendEscaped(append(dst, '\''), s)
		return append(dst, '\''), nil
	}
	return append(appendJSONText(append(dst, '"'), s), '"'), nil
}

// appendJSONText writes the inside of a JSON string that itself stands in a quoted SQL string: what JSON escapes
// with a backslash needs two of them.
func appendJSONText(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	start := 0
	for i, b := range s {
		if b >= 0x20 && b != '"' && b != '\\' && b != '\'' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch b {
		case '\'':
			dst = append(dst, `\'`...)
		case '"':
			dst = append(dst, `\\"`...)
		case '\\':
			dst = append(dst, `\\\\`...)
		default:
			dst = append(dst, '\\', '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	return append(dst, s[start:]...)
}
