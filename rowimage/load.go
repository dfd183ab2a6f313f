package rowimage

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Many new rows travel cheaper by LOAD DATA than by INSERT: the server neither parses nor prepares their values. A line of
// the file for the row (7, 'a<tab>b', NULL, {"x": 1}) of t(id, c, n, doc JSON), and its statement:
//
//	7<tab>a\tb<tab>\N<tab>{"x":1}
//	LOAD DATA LOCAL INFILE '…' INTO TABLE `t` CHARACTER SET binary FIELDS … (`id`,`c`,`n`,@d3) SET `doc`=CONVERT(@d3 USING utf8mb4)
//
// The file's character set is binary: the server takes the bytes of a text as they are in its column's own character set, as
// the image has them. A JSON column takes no binary string, so it takes the way through a variable. LOCAL makes the statement
// lenient: a value that does not fit is changed, a row whose key is there already is left out. Both are warnings, and the
// second lowers the count. Whoever uses it must look at both.

// Loads reports that rows of the table can be lines of a file. An ENUM or SET is a number there, and the server looks for it
// among the members first, by the collation, for which '1' and '１' are one: so each member must begin with a letter. A NULL of the
// source must be one on the target: for a TIMESTAMP that is NOT NULL the statement writes the time of now, without a warning. Tables
// whose rows are proved one by one gain nothing.
func (l *Layout) Loads() bool { return l.loads }

func (l *Layout) canLoad() bool {
	for i := range l.columns {
		c, def := &l.columns[i], &l.table.Columns[i]
		if !c.written {
			continue
		}
		if l.source.MayBeNull(i) && !def.Nullable {
			return false
		}
		if c.members == nil {
			continue
		}
		cs, known := charsetNamed(def.Charset)
		if !known || cs.unit > 1 || slices.ContainsFunc(c.members, func(m string) bool { return !beginsWithLetter(m) }) {
			return false
		}
	}
	return !l.NeedsProof()
}

func beginsWithLetter(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

// LoadInto is the part of the statement behind the file's name.
func (l *Layout) LoadInto() string {
	var names, set []string
	for i := range l.columns {
		c := &l.columns[i]
		switch {
		case !c.written:
		case c.kind == kindJSON:
			v := "@d" + strconv.Itoa(i)
			names, set = append(names, v), append(set, c.name+"=CONVERT("+v+" USING utf8mb4)")
		default:
			names = append(names, c.name)
		}
	}
	s := "INTO TABLE " + l.table.QuotedName() + ` CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` + strings.Join(names, ",") + ")"
	if set != nil {
		s += " SET " + strings.Join(set, ",")
	}
	return s
}

// LoadsRow reports whether a row can be a line: a JSON document that text cannot express needs an expression.
func (l *Layout) LoadsRow(img []byte) (bool, error) {
	if !l.documents {
		return true, nil
	}
	beyond, err := l.holds(img, func(i int, v []byte) bool {
		c := &l.columns[i]
		return c.written && c.kind == kindJSON && !jsonIsText(v)
	})
	return err == nil && !beyond, err
}

// AppendLine writes a row as a line of the file, of a full image for which LoadsRow holds.
func (l *Layout) AppendLine(dst, img []byte) ([]byte, error) {
	w, err := l.walk(img)
	if err != nil {
		return dst, err
	}
	out, first := dst, true
	for i := range l.columns {
		v, null, ok := w.next(i)
		if !ok {
			return dst, l.valueError(i, errShort)
		}
		c := &l.columns[i]
		if !c.written {
			continue
		}
		if !first {
			out = append(out, '\t')
		}
		first = false
		if null {
			out = append(out, `\N`...)
		} else if out, err = c.appendField(out, v); err != nil {
			return dst, l.valueError(i, err)
		}
	}
	if !w.ended() {
		return dst, l.imageError(errTrailing)
	}
	return append(out, '\n'), nil
}

// appendField writes a value as LOAD DATA reads it. What is a number or a quoted text in a statement is the same here,
// without the quotes: a field knows the escapes of a quoted text.
func (c *column) appendField(dst, v []byte) ([]byte, error) {
	var err error
	if c.packed {
		if v, err = unpack(v); err != nil {
			return dst, err
		}
	}
	switch c.kind {
	case kindText:
		if len(v)%int(c.unit) != 0 {
			return dst, errTextUnit
		}
		return appendEscaped(dst, v), nil
	case kindVector:
		if len(v) == 0 {
			return dst, errVectorEmpty
		}
		return appendEscaped(dst, v), nil
	case kindBinary, kindBytes, kindGeometry, kindBit: // The server pads a BINARY(n); a BIT is its bytes.
		return appendEscaped(dst, v), nil
	}
	start := len(dst)
	if dst, err = c.appendLiteral(dst, v); err != nil || dst[start] != '\'' {
		return dst, err
	}
	n := copy(dst[start:], dst[start+1:len(dst)-1])
	return dst[:start+n], nil
}
