package rowimage

import (
	"github.com/binseal/binseal/change"
)

// Differences to a JSON document that no image shows (binlog_row_value_options=PARTIAL_JSON with binlog_row_image=MINIMAL
// or NOBLOB) are written as changes of what the target has, one assignment for each, which the server makes one after the
// other. Worked example, `$.a` becoming 2 and an element put before `$.b[0]`:
//
//	SET `doc`=IF(JSON_TYPE(`doc`)='OBJECT' AND JSON_CONTAINS_PATH(`doc`,'one','$.a'),JSON_REPLACE(`doc`,'$.a',CAST('2' AS JSON)),CAST('null' AS JSON)),
//	    `doc`=IF(JSON_TYPE(JSON_EXTRACT(`doc`,'$.b'))='ARRAY',JSON_ARRAY_INSERT(`doc`,'$.b[0]',CAST('"x"' AS JSON)),CAST('null' AS JSON))
//
// JSON_REPLACE of a path that is not there changes nothing without a word, and the row counts as matched all the same. So
// each assignment asks first for what the source had there. The answer no makes the document the scalar null, which it then
// stays: no path leads into a scalar. A document that differences were applied to is an object or array; AppendDiffsDone
// writes the condition that tells the two apart.

// isDiffs reports that a value of a partial after-image is differences.
func (c *column) isDiffs(v cell) bool {
	return c.kind == kindJSON && c.written && v.there && len(v.value) > 0 && v.value[0] == jsonDiffs
}

// appendDiffs writes the assignments of a column that comes as differences; nothing where there are none.
func (c *column) appendDiffs(dst, diffs []byte) (out []byte, err error) {
	out = dst
	for r := (reader{data: diffs}); len(r.data) > 0; {
		d, err := nextDiff(&r)
		if err != nil {
			return dst, err
		}
		if len(out) > len(dst) {
			out = append(out, ',')
		}
		if out, err = c.appendDiff(out, &d); err != nil {
			return dst, err
		}
	}
	return out, nil
}

// appendDiff writes one assignment.
func (c *column) appendDiff(dst []byte, d *jsonDiff) ([]byte, error) {
	leg := &d.legs[len(d.legs)-1]
	dst = join(dst, c.name, "=IF(JSON_TYPE(")
	if parent := d.path[:d.last]; len(parent) == 1 {
		dst = join(dst, c.name)
	} else {
		dst = appendEscaped(join(dst, "JSON_EXTRACT(", c.name, ",'"), parent)
		dst = join(dst, "')")
	}
	holder := ")='OBJECT'"
	if leg.cell {
		holder = ")='ARRAY'"
	}
	dst = join(dst, holder)
	if d.op != jsonInsert || !leg.cell { // An element can be put before any place, also behind the end.
		not := ""
		if d.op == jsonInsert {
			not = "NOT "
		}
		dst = appendEscaped(join(dst, " AND ", not, "JSON_CONTAINS_PATH(", c.name, ",'one','"), d.path)
		dst = join(dst, "')")
	}
	function := [...]string{jsonReplace: "JSON_REPLACE", jsonInsert: "JSON_INSERT", jsonRemove: "JSON_REMOVE"}[d.op]
	if d.op == jsonInsert && leg.cell {
		function = "JSON_ARRAY_INSERT"
	}
	dst = appendEscaped(join(dst, ",", function, "(", c.name, ",'"), d.path)
	dst = append(dst, '\'')
	if d.op != jsonRemove {
		var err error
		if dst, err = appendJSONArgument(append(dst, ','), d.value); err != nil {
			return dst, err
		}
	}
	return join(dst, "),CAST('null' AS JSON))"), nil
}

// appendJSONArgument writes a document as an argument of a JSON function, which takes a text for a string.
func appendJSONArgument(dst, doc []byte) ([]byte, error) {
	w := jsonWriter{budget: len(doc)}
	out, err := w.value(join(dst, "CAST('"), doc[0], doc[1:], 1)
	if err == errJSONText {
		w = jsonWriter{expression: true, budget: len(doc)}
		return w.root(dst, doc)
	}
	return join(out, "' AS JSON)"), err
}

// AppendDiffsDone writes, for an update r that has just been written, a statement's tail that matches its row if each of
// its differences found what it changes: "`id`=`id` WHERE `id`=7 AND JSON_TYPE(`doc`) IN ('OBJECT','ARRAY')". It changes
// nothing. unique is true: a row without a key has no differences left. some is false when r has none.
func (l *Layout) AppendDiffsDone(dst []byte, r *change.Row) (out []byte, unique, some bool, err error) {
	if r.Full || r.Op != change.Update || !l.documents {
		return dst, true, false, nil
	}
	after, row, err := l.cellsAfter(r)
	if err != nil {
		return dst, true, false, err
	}
	var ask []byte
	for i := range after {
		if c := &l.columns[i]; c.isDiffs(after[i]) && len(after[i].value) > 1 {
			ask = join(ask, " AND JSON_TYPE(", c.name, ") IN ('OBJECT','ARRAY')")
		}
	}
	if ask == nil {
		return dst, true, false, nil
	}
	key, err := l.partialKey(r.PresentBefore)
	if err == nil && key == nil { // A table without a key shows its documents, and no differences are left.
		err = l.imageError(errKeyless)
	}
	if err != nil {
		return dst, true, false, err
	}
	name := l.columns[key[0]].name
	out, err = l.appendCellMatch(join(dst, name, "=", name, " WHERE "), row, key)
	return append(out, ask...), true, true, err
}
