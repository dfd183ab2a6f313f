package rowimage

import (
	"errors"
	"strconv"
)

// maxJSONTypes is how many values are asked for their types one by one. The server's time for a WHERE grows with the
// square of its conditions: 32 are nothing beside the search of a keyless table, 20,000 took more than ten minutes.
const maxJSONTypes = 32

// errJSONTypes: a document has more such values.
var errJSONTypes = errors.New("too many values to be asked for one by one")

// jsonTypes writes what a comparison of documents and of their texts does not see: the types of numbers and times.
// The server compares and prints 1 alike, whether it is an INTEGER, an UNSIGNED INTEGER or a DECIMAL, 1.0 as a DOUBLE
// and as a DECIMAL, and a DATETIME like a TIMESTAMP. So each of them is asked for its type by its path:
//
//	JSON_TYPE(JSON_EXTRACT(`doc`,'$."price"'))='DECIMAL' AND JSON_TYPE(JSON_EXTRACT(`doc`,'$."items"[0]'))='INTEGER'
//
// A document with many of them is unfolded, as the row has it and as it should be, and the two lists of types are compared.
//
// Strings, true, false, null and the other types are told apart by the text. Of a decimal the precision is not seen
// by any function of the server, its scale is by the text.
type jsonTypes struct {
	column string // Quoted.
	path   []byte // Of the value, as it stands within an SQL string.
	asked  int    // Values asked for so far.
}

// append writes the predicates for a document that appendJSON has read whole; value is what it has made of it.
func (t *jsonTypes) append(dst, doc []byte, value string) ([]byte, error) {
	out, err := t.value(dst, doc[0], doc[1:])
	if err != errJSONTypes {
		return out, err
	}
	// Every member of every object, then every element of every array, each in the order of the document. JSON_TABLE does
	// not take a document that is made with a subquery (error 1210), as one with a TIMESTAMP is: it goes through a table.
	list := func(dst []byte, from, doc string) []byte {
		return join(dst, "(SELECT JSON_ARRAYAGG(CONCAT_WS('',JSON_TYPE(x),JSON_TYPE(y))) FROM ", from, "JSON_TABLE(", doc,
			",'$' COLUMNS(NESTED PATH '$**.*' COLUMNS(x JSON PATH '$'),NESTED PATH '$**[*]' COLUMNS(y JSON PATH '$'))) AS t)")
	}
	return list(append(list(join(dst, " AND "), "", t.column), "<=>"...), "(SELECT "+value+" AS doc) AS made,", "made.doc"), nil
}

// value appends a predicate for each such value of a document that appendJSON has read whole, which also bounds how
// deep it goes.
func (t *jsonTypes) value(dst []byte, typ byte, b []byte) ([]byte, error) {
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return t.container(dst, typ, b)
	case jsonInt16, jsonInt32, jsonInt64:
		return t.is(dst, "INTEGER")
	case jsonUint16, jsonUint32, jsonUint64:
		return t.is(dst, "UNSIGNED INTEGER")
	case jsonDouble:
		return t.is(dst, "DOUBLE")
	case jsonOpaque:
		switch b[0] {
		case typeNewDecimal:
			return t.is(dst, "DECIMAL")
		case typeDatetime:
			return t.is(dst, "DATETIME")
		case typeTimestamp:
			return t.is(dst, "TIMESTAMP")
		}
	}
	return dst, nil
}

// is asks for the type of the value at the path.
func (t *jsonTypes) is(dst []byte, name string) ([]byte, error) {
	if t.asked++; t.asked > maxJSONTypes {
		return dst, errJSONTypes
	}
	dst = join(dst, " AND JSON_TYPE(")
	if len(t.path) == 0 {
		dst = join(dst, t.column)
	} else {
		dst = join(dst, "JSON_EXTRACT(", t.column, ",'$")
		dst = join(append(dst, t.path...), "')")
	}
	return join(dst, ")='", name, "'"), nil
}

// container goes through the members of an object or array.
func (t *jsonTypes) container(dst []byte, typ byte, b []byte) ([]byte, error) {
	c, ok := openContainer(typ, b)
	if !ok {
		return dst, errJSONCorrupt
	}
	here := len(t.path)
	for i := range c.count {
		if c.object {
			key, ok := c.key(i)
			if !ok {
				return dst, errJSONCorrupt
			}
			t.path = append(appendJSONText(append(t.path, '.', '"'), key), '"')
		} else {
			t.path = append(strconv.AppendInt(append(t.path, '['), int64(i), 10), ']')
		}
		typ, v, ok := c.value(i)
		if !ok {
			return dst, errJSONCorrupt
		}
		var err error
		if dst, err = t.value(dst, typ, v); err != nil {
			return dst, err
		}
		t.path = t.path[:here]
	}
	return dst, nil
}
