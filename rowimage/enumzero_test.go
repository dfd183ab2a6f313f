package rowimage

import (
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// enumColumn and setColumn take one byte each.
func enumColumn(name, members string) wireColumn {
	return wireColumn{typeString, typeEnum<<8 | 1, schema.Column{Name: name, DataType: "enum", ColumnType: "enum(" + members + ")"}}
}

func setColumn(name, members string) wireColumn {
	return wireColumn{typeString, typeSet<<8 | 1, schema.Column{Name: name, DataType: "set", ColumnType: "set(" + members + ")"}}
}

func TestHasEnumZero(t *testing.T) {
	generated := enumColumn("g", "'a'")
	generated.column.Generated = schema.StoredColumn
	m, def := tableOf(intColumn("id"), enumColumn("e", "'a',''"), setColumn("s", "'','a'"), enumColumn("f", "'a'"), generated)
	l := mustBind(t, m, def)
	for name, c := range map[string]struct {
		img, present []byte
		want         bool
	}{
		"members":                     {image(int4(0), []byte{2}, []byte{0}, []byte{1}, []byte{1}), nil, false},
		"the first":                   {image(int4(7), []byte{0}, []byte{1}, []byte{1}, []byte{1}), nil, true},
		"the last":                    {image(int4(7), []byte{1}, []byte{1}, []byte{0}, []byte{1}), nil, true},
		"NULL":                        {image(int4(7), nil, []byte{1}, nil, []byte{1}), nil, false},
		"one that is computed":        {image(int4(7), []byte{1}, []byte{1}, []byte{1}, []byte{0}), nil, false},
		"in a partial image":          {image([]byte{0}, []byte{0}), []byte{0b01100}, true},
		"left out of a partial image": {image(int4(0), []byte{0}, []byte{1}), []byte{0b01101}, false},
	} {
		if got, err := l.HasEnumZero(c.img, c.present); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	img := image(int4(7), []byte{1}, []byte{1}, []byte{1}, []byte{1})
	for n := range img {
		if _, err := l.HasEnumZero(img[:n], nil); err == nil {
			t.Errorf("an image cut to %d bytes is taken", n)
		}
	}
	if n := testing.AllocsPerRun(20, func() { _, _ = l.HasEnumZero(img, nil) }); n != 0 {
		t.Errorf("%v allocations in a full image", n)
	}
}

// A row that comes to hold index 0, or keeps it, shares no statement with others: all of them would have to be lenient.
func TestEnumZeroDoesNotJoin(t *testing.T) {
	generated := enumColumn("g", "'a'")
	generated.column.Generated = schema.VirtualColumn
	m, def := tableOf(intColumn("id"), enumColumn("e", "'a'"), intColumn("v"), generated)
	def.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	l := mustBind(t, m, def)
	row := func(e, v, g byte) []byte { return image(int4(7), []byte{e}, int4(int32(v)), []byte{g}) }
	for name, c := range map[string]struct {
		before, after []byte
		joins         bool
	}{
		"a member":                 {row(1, 1, 1), row(1, 2, 1), true},
		"to index 0":               {row(1, 1, 1), row(0, 1, 1), false},
		"keeps index 0":            {row(0, 1, 1), row(0, 2, 1), false},
		"from index 0 to a member": {row(0, 1, 1), row(1, 1, 1), true},
		"one that is computed":     {row(1, 1, 0), row(1, 2, 0), true},
	} {
		if ch, err := l.Changed(nil, c.before, c.after); err != nil || !ch.Any || ch.Joins != c.joins {
			t.Errorf("%s: %+v, %v", name, ch, err)
		}
	}
}

// Every path of AppendAgain on damaged images: an error, never a panic.
func TestAppendAgainOnDamagedImages(t *testing.T) {
	m, def := tableOf(intColumn("id"), enumColumn("e", "'a'"), intColumn("v"))
	def.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 0}}}
	l := mustBind(t, m, def)
	full := change.Row{RowsHeader: &change.RowsHeader{Op: change.Insert, Full: true}, After: image(int4(7), []byte{0}, int4(8))}
	partial := change.Row{RowsHeader: partialHeader(m, change.Update, 0b001, 0b110), Before: image(int4(7)), After: image([]byte{0}, int4(8))}
	for want, r := range map[string]change.Row{"`id`=7,`v`=8 WHERE `id`=7": full, "`v`=8 WHERE `id`=7": partial} {
		out, unique, some, err := l.AppendAgain(nil, &r)
		if err != nil || string(out) != want || !unique || !some {
			t.Errorf("%s, %v, %v, %v", out, unique, some, err)
		}
		for n := range r.After {
			cut := r
			cut.After = r.After[:n]
			if _, _, _, err := l.AppendAgain(nil, &cut); err == nil {
				t.Errorf("an after-image cut to %d bytes is taken", n)
			}
		}
		for n := range r.Before {
			cut := r
			cut.Before = r.Before[:n]
			if _, _, _, err := l.AppendAgain(nil, &cut); err == nil {
				t.Errorf("a before-image cut to %d bytes is taken", n)
			}
		}
	}
}

// A SET with a member ” is not found by its text, and neither is index 0 of an ENUM: the story of rows that a DELETE by
// row constructors missed.
func TestServerIdentityByNumber(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, "CREATE TABLE src.k (e ENUM('x',''),s SET('','a','b'),p SET('a'),PRIMARY KEY (e,s,p))")
	from := l.position(t)
	l.Exec(t, "INSERT IGNORE INTO src.k VALUES (0,0,0),(0,3,1),(1,0,1),(1,1,1),(1,3,1),(1,7,0),(2,5,0),(2,0,0)")
	rows := l.changes(t, from)
	layout := mustBind(t, rows[0].Table, l.table(t, "src", "k"))
	for i, r := range rows {
		if by, err := layout.IdentityByNumber(r.After); err != nil || !by {
			t.Errorf("row %d: %v, %v", i, by, err)
		}
		match, err := layout.AppendIdentityMatch(nil, r.After)
		if err != nil {
			t.Fatal(err)
		}
		if n := l.count(t, "SELECT COUNT(*) FROM src.k WHERE "+string(match)); n != 1 {
			t.Errorf("row %d: %d rows where %s", i, n, match)
		}
	}
	l.Exec(t, "CREATE TABLE src.x (e ENUM('😀','?a'),s SET('a','😀'),PRIMARY KEY (e,s))")
	from = l.position(t)
	l.Exec(t, "INSERT INTO src.x VALUES (1,1),(2,2),(1,3)")
	rows = l.changes(t, from)
	layout = mustBind(t, rows[0].Table, l.table(t, "src", "x"))
	for i, r := range rows {
		if by, err := layout.IdentityByNumber(r.After); err != nil || !by {
			t.Errorf("row %d of a member that information_schema does not show: %v, %v", i, by, err)
		}
	}
	l.Exec(t, "CREATE TABLE src.o (e ENUM('x',''),p SET('a'),PRIMARY KEY (e,p))")
	from = l.position(t)
	l.Exec(t, "INSERT INTO src.o VALUES (1,0),(1,1)")
	rows = l.changes(t, from)
	layout = mustBind(t, rows[0].Table, l.table(t, "src", "o"))
	for i, r := range rows {
		if by, err := layout.IdentityByNumber(r.After); err != nil || by {
			t.Errorf("row %d, whose text is enough: %v, %v", i, by, err)
		}
	}
}

// An index behind the last member is no index 0: the target's definition is another one, and nothing is found by a guess.
func TestEnumWithoutAMember(t *testing.T) {
	m, def := tableOf(intColumn("id"), enumColumn("e", "'a'"))
	def.Identity = &schema.Key{Name: "PRIMARY", NotNull: true, Weighed: true, Parts: []schema.KeyPart{{Column: 1}, {Column: 0}}}
	l := mustBind(t, m, def)
	_, err := l.AppendIdentity(nil, image(int4(7), []byte{2}))
	if f := change.FaultOf(err); f == nil || f.Code != CodeUnsupported || f.Class != change.ClassPerson || f.Next == "" {
		t.Errorf("got %v", err)
	}
}
