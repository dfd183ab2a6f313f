package replicator

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// Bounds of the cache of TABLE_MAP events. One is some hundred bytes; with the members of large ENUMs it may be many thousand, and
// each time that the source opens a table anew, the table gets another id.
const (
	maxCachedMaps  = 4096
	maxCachedBytes = 8 << 20
	recentMaps     = 64
)

// dummyTable is the table id of a row event without rows, which the source writes to end a statement.
const dummyTable = 1<<48 - 1

// tableMaps keeps the TABLE_MAP events: of the running statement, by table id, and decoded ones for reuse, since the
// source repeats the same bytes before every statement. A reused one is the same pointer, so that the applier may
// keep what it derives from it.
type tableMaps struct {
	mariaDB   bool    // The source is MariaDB.
	statement []named // A few.
	cache     map[uint64]*tableMap
	cached    int                   // Bytes of all that cache was given since it was empty.
	recent    [recentMaps]*tableMap // Of cache, by the last bits of their id.
	memory    *memory
}

// tableMap is one TABLE_MAP event; parsed is nil when the filter excludes its table.
type tableMap struct {
	body   []byte
	parsed *change.TableMap
	forms  []*rowsForm // The last ones: the next row event is mostly like one before.
}

// rowsForm is what row events of one table have in common.
type rowsForm struct {
	typ    byte
	head   []byte // All of the last one's body in front of its rows; none where that is large.
	header *change.RowsHeader
	empty  bool // Its images have no column at all.
	cutter *rowimage.Cutter
}

// Bounds of what is kept for row events of a table.
const (
	maxForms    = 8   // Three operations, with the end of a statement and without.
	maxFormHead = 256 // Bytes; bitmaps of a thousand columns.
)

// named is a table of the running statement.
type named struct {
	id uint64
	m  *tableMap
}

// name makes m the table of an id in the running statement.
func (t *tableMaps) name(id uint64, m *tableMap) {
	for i := range t.statement {
		if t.statement[i].id == id {
			t.statement[i].m = m
			return
		}
	}
	t.statement = append(t.statement, named{id, m})
}

// find gives the table of an id in the running statement; nil when there is none.
func (t *tableMaps) find(id uint64) *tableMap {
	for i := range t.statement {
		if t.statement[i].id == id {
			return t.statement[i].m
		}
	}
	return nil
}

// add takes a TABLE_MAP event.
func (t *tableMaps) add(body []byte, filter *schema.Filter) error {
	c := cursor{rest: body}
	id := c.uint(6)
	recent := &t.recent[id%recentMaps]
	if known := *recent; known != nil && bytes.Equal(known.body, body) {
		t.name(id, known)
		return nil
	}
	if known := t.cache[id]; known != nil && bytes.Equal(known.body, body) {
		*recent = known
		t.name(id, known)
		return nil
	}
	// An excluded table is not decoded: it may have types that are not understood.
	c.skip(2)
	schemaName := c.string8()
	c.skip(1)
	table := c.string8()
	if c.err != nil {
		return malformed(c.err)
	}
	m := &tableMap{body: bytes.Clone(body)}
	if filter == nil || filter.Includes(schemaName, table) {
		parse := rowimage.ParseTableMap
		if t.mariaDB {
			parse = rowimage.ParseMariaDBTableMap
		}
		var err error
		if id, m.parsed, err = parse(body); err != nil {
			return malformed(err)
		}
	}
	if t.cache == nil {
		t.cache = map[uint64]*tableMap{}
	}
	if len(t.cache) >= maxCachedMaps || t.cached+len(body) > maxCachedBytes {
		t.empty()
	}
	t.cache[id], *recent = m, m
	t.cached += len(body)
	t.name(id, m)
	return nil
}

// eventRows are the rows of a row event that are not cut yet.
type eventRows struct {
	m       *tableMap
	form    *rowsForm
	data    []byte // Empty when all are cut, and for a table that is excluded.
	stmtEnd bool   // The statement's TABLE_MAP events end with the event.
}

// rows opens a row event. long: see memory.keep.
func (t *tableMaps) rows(ev *event, long bool) (r eventRows, err error) {
	c := cursor{rest: ev.body}
	id, flags := c.uint(6), c.uint16()
	if c.err != nil {
		return r, malformed(c.err)
	}
	r.stmtEnd, r.m = flags&change.FlagStmtEnd != 0, t.find(id)
	m := r.m
	switch {
	case m == nil && id == dummyTable:
		return r, nil
	case m == nil:
		return r, malformed(fmt.Errorf("a row event names table %d, which no TABLE_MAP event describes", id))
	case m.parsed == nil:
		return r, nil
	}
	r.form, r.data, err = m.form(ev)
	switch {
	case err != nil:
		return r, malformed(err)
	case r.form.empty:
		return r, halt("BS-PARTIAL-IMAGE", fmt.Sprintf("a row event of %s.%s has images without any column, which take no bytes and do not show how many rows there are "+
			"(binlog_row_image=MINIMAL and an insert of defaults only)", m.parsed.Schema, m.parsed.Table),
			"set binlog_row_image=FULL on the source for sessions that change this table, and copy the table anew")
	}
	if len(r.data) == 0 {
		return r, malformed(errors.New("a row event without rows"))
	}
	if ev.lent || len(r.data) <= change.LentImage { // What was compressed has memory of its own, for each event.
		r.data = t.memory.keep(r.data, long)
	}
	return r, nil
}

// cut appends an event's next rows to dst, as many as a part may have.
func (t *tableMaps) cut(r *eventRows, dst []change.Row) (rows []change.Row, err error) {
	if rows, r.data, err = r.form.cutter.Cut(r.data, dst, maxPartRows); err != nil {
		return dst, t.uncut(r.m, err)
	}
	return rows, nil
}

// uncut is the fault of rows of m that cannot be cut.
func (t *tableMaps) uncut(m *tableMap, err error) error {
	if t.mariaDB && rowimage.OldTemporal(m.parsed) {
		return halt("BS-TYPE-UNSUPPORTED", fmt.Sprintf("%s.%s has temporal columns with a fraction in the format of MariaDB 5.3 (mysql56_temporal_format=OFF), "+
			"and the log does not tell how long their values are", m.parsed.Schema, m.parsed.Table),
			"make the table anew with mysql56_temporal_format=ON (ALTER TABLE … FORCE) on the source and load it again, or exclude it")
	}
	return malformed(err)
}

// form gives the form of a row event, and its rows. What stands before the rows tells all else, so that a head which is
// the same to the byte is not parsed again.
func (m *tableMap) form(ev *event) (*rowsForm, []byte, error) {
	for _, f := range m.forms {
		if f.typ == ev.typ && len(f.head) > 0 && bytes.HasPrefix(ev.body, f.head) {
			return f, ev.body[len(f.head):], nil
		}
	}
	e, err := rowimage.ParseRowsHeader(ev.typ, ev.body)
	if err != nil {
		return nil, nil, err
	}
	head := ev.body[:len(ev.body)-len(e.Data)]
	f, err := m.formOf(ev.typ, &e)
	if err != nil {
		return nil, nil, err
	}
	if f.head = f.head[:0]; len(head) <= maxFormHead {
		f.head = append(f.head, head...)
	}
	return f, e.Data, nil
}

// formOf joins a row event with its TABLE_MAP. Events of one form share theirs, whatever else their heads hold.
func (m *tableMap) formOf(typ byte, e *rowimage.RowsEvent) (*rowsForm, error) {
	for _, f := range m.forms {
		if h := f.header; f.typ == typ && h.Flags == e.Flags && e.Columns == m.parsed.Columns() &&
			bytes.Equal(h.PresentBefore, e.PresentBefore) && bytes.Equal(h.PresentAfter, e.PresentAfter) {
			return f, nil
		}
	}
	h, err := e.Header(m.parsed)
	if err != nil {
		return nil, err
	}
	h.PresentBefore, h.PresentAfter = bytes.Clone(h.PresentBefore), bytes.Clone(h.PresentAfter) // It outlives the event.
	f := &rowsForm{typ: typ, header: h, empty: rowimage.Empty(h), cutter: rowimage.NewCutter(h, e.Diffs)}
	if len(m.forms) == maxForms {
		m.forms = m.forms[:0]
	}
	m.forms = append(m.forms, f)
	return f, nil
}

// endStatement forgets the statement's tables.
func (t *tableMaps) endStatement() { t.statement = t.statement[:0] }

// forget drops everything.
func (t *tableMaps) forget() {
	t.endStatement()
	t.empty()
}

// empty gives the cache up; the running statement keeps its tables.
func (t *tableMaps) empty() {
	clear(t.cache)
	clear(t.recent[:])
	t.cached = 0
}
