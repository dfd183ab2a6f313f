package rowimage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// partialTables are tables and statements whose partial images leave out as much as a server can. sql_mode is not
// strict, so that columns without a default may be left out too.
var partialTables = []struct {
	ddl        string
	statements []string
	refused    bool // The last statement is: by CodePartial, or by CodeUnsupported where the image shows the empty document.
}{
	{"id INT PRIMARY KEY AUTO_INCREMENT, a INT DEFAULT 5, b VARCHAR(36) DEFAULT (UUID()), c TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), " +
		"d DOUBLE DEFAULT (RAND()), e INT NOT NULL, f TEXT, g INT DEFAULT (a+1), h VARBINARY(9) DEFAULT x'00ff27', j JSON",
		[]string{"INSERT INTO t () VALUES (),()", "INSERT INTO t (a, f, j) VALUES (7, 'it''s', '[1, 2.0]'), (8, NULL, NULL)", "UPDATE t SET a=8 WHERE id=1", "UPDATE t SET f='x' WHERE id=1",
			"UPDATE t SET id=9 WHERE id=1", "UPDATE t SET a=99, c=c WHERE id=9", "UPDATE t SET c='2020-01-01' WHERE id=9", "UPDATE t SET j='{}', a=NULL", "REPLACE INTO t (id, a) VALUES (9, 1)",
			"INSERT INTO t (id, a) VALUES (9, 3) ON DUPLICATE KEY UPDATE e=e+1", "INSERT INTO t (id, f) SELECT 77, 'y'", "DELETE FROM t WHERE id IN (9, 2)"}, false},
	{"a INT DEFAULT 1, b TEXT, c TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP, x FLOAT",
		[]string{"INSERT INTO t (a, x) VALUES (5, 0.1), (5, 0.1), (6, -0.0)", "UPDATE t SET a=8 WHERE a=5 LIMIT 1", "UPDATE t SET b='x' WHERE a=8", "UPDATE t SET b='y', c=c WHERE a=5", "DELETE FROM t WHERE a=8"}, false},
	{"a INT NOT NULL, b INT NOT NULL, c TEXT, j JSON, UNIQUE zz (a), UNIQUE aa (b)", // The source's key is zz, ours aa.
		[]string{"INSERT INTO t VALUES (1, 2, 'x', '1'), (2, 1, NULL, NULL)", "UPDATE t SET j='2'", "UPDATE t SET c='k'", "UPDATE t SET a=a+10, b=b+10", "DELETE FROM t WHERE a=12"}, false},
	{"a INT PRIMARY KEY, b INT DEFAULT 4, u INT, v INT AS (a+b) STORED, w INT AS (a) VIRTUAL, UNIQUE (u), UNIQUE (w)",
		[]string{"INSERT INTO t (a, u) VALUES (1, 1)", "UPDATE t SET b=7", "REPLACE INTO t (a, u) VALUES (2, 1)", "REPLACE INTO t (a) VALUES (2)", "UPDATE t SET a=3"}, false},
	{"a TEXT, b TEXT NOT NULL, u INT, PRIMARY KEY (b(5))",
		[]string{"INSERT INTO t (b) VALUES ('abcdefg'), ('é')", "UPDATE t SET a='1'", "UPDATE t SET b='zz' WHERE b='é'", "DELETE FROM t WHERE b='abcdefg'"}, false},
	{"a TEXT, b TEXT NOT NULL, u INT, UNIQUE (b(5))",
		[]string{"INSERT INTO t (b) VALUES ('abcdefg'), ('é')", "UPDATE t SET a='1'", "UPDATE t SET b='zz' WHERE b='é'", "DELETE FROM t WHERE b='abcdefg'"}, false},
	{"a INT PRIMARY KEY, e ENUM('x','y') NOT NULL, s SET('p') NOT NULL, i INT NOT NULL, v VARCHAR(3) NOT NULL, dt DATETIME NOT NULL, d DATE NOT NULL, ts TIMESTAMP NOT NULL, y YEAR NOT NULL, " +
		"de DECIMAL(5,2) NOT NULL, bi BIT(3) NOT NULL, bb BINARY(3) NOT NULL, ti TIME NOT NULL, te TEXT NOT NULL, fl DOUBLE NOT NULL",
		[]string{"INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a, e) VALUES (2, 'y'), (3, 'x')", "UPDATE t SET e='y', bi=5"}, false},
	{"a INT PRIMARY KEY, j JSON NOT NULL", []string{"INSERT INTO t (a) VALUES (1)"}, true},
	{"a INT PRIMARY KEY, hidden INT DEFAULT 4 INVISIBLE, hidden2 INT INVISIBLE, te TEXT DEFAULT ('made'), bl BLOB DEFAULT (x'00'), ts TIMESTAMP DEFAULT '2020-06-01 02:03:04', " +
		"ba BINARY(4) DEFAULT 'ab', l VARCHAR(9) CHARACTER SET latin1 DEFAULT 'é', e ENUM('x','y') DEFAULT 'y', bi BIT(5) DEFAULT b'101'",
		[]string{"INSERT INTO t (a) VALUES (1),(2)", "UPDATE t SET te='x' WHERE a=1", "UPDATE t SET hidden=5, bl=NULL WHERE a=1", "REPLACE INTO t (a) VALUES (1)", "DELETE FROM t WHERE a=2"}, false},
	{"c1 INT, c2 INT, c3 INT, c4 INT, c5 INT, c6 INT, c7 INT, c8 INT, c9 INT, c10 INT, a INT, b INT, PRIMARY KEY (b, a)", // Bitmaps of two bytes, the key at the end and the other way round.
		[]string{"INSERT INTO t (a, b, c9) VALUES (1, 2, 3), (2, 1, NULL)", "UPDATE t SET c10=5, c1=1 WHERE a=1", "UPDATE t SET c9=NULL", "DELETE FROM t WHERE b=1"}, false},
}

func TestPartialImagesOfARealServer(t *testing.T) {
	l := newLab(t, "FULL")
	for _, image := range []string{"MINIMAL", "NOBLOB"} {
		for n, table := range partialTables {
			t.Run(fmt.Sprintf("%s %d", image, n), func(t *testing.T) {
				// A literal default of a TIMESTAMP means a time in the zone of its DDL, whatever zone inserts have.
				l.exec(t, "SET time_zone='+05:00'")
				for _, db := range []string{"src", "dst"} {
					l.exec(t, "DROP TABLE IF EXISTS "+db+".t")
					l.exec(t, "CREATE TABLE "+db+".t ("+table.ddl+")")
				}
				l.exec(t, "SET time_zone='+00:00'")
				def, err := schema.NewCatalog(l.session).Table(t.Context(), "dst", "t")
				if err != nil {
					t.Fatal(err)
				}
				source := sessionWith(t, l, image)
				for i, statement := range table.statements {
					from := l.position(t)
					if _, err := source.ExecContext(t.Context(), statement); err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
					rows := l.changes(t, from)
					if len(rows) == 0 {
						t.Fatalf("%s: nothing in the log", statement)
					}
					err := l.applyPartial(t, def, rows)
					if f := change.FaultOf(err); table.refused && i == len(table.statements)-1 {
						if f == nil || f.Code != map[string]string{"MINIMAL": CodePartial, "NOBLOB": CodeUnsupported}[image] || f.Next == "" {
							t.Fatalf("%s: got %v, want %s", statement, err, CodePartial)
						}
						return
					}
					if err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
					if diff := cmp.Diff(l.content(t, "src", def), l.content(t, "dst", def)); diff != "" {
						t.Fatalf("behind %s:\n%s", statement, diff)
					}
				}
			})
		}
	}
}

// sessionWith is a lax session of the source that logs partial images.
func sessionWith(t *testing.T, l *lab, image string) *sql.Conn {
	t.Helper()
	c, err := l.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, s := range []string{"USE src", "SET SESSION binlog_row_image=" + image + ", sql_mode='', time_zone='+03:00'"} {
		if _, err := c.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, _ = c.ExecContext(context.Background(), "SET SESSION binlog_row_image=DEFAULT, sql_mode=DEFAULT, time_zone=DEFAULT")
	})
	return c
}

// applyPartial writes rows as the applier does; whole rows too, of which all columns are present.
func (l *lab) applyPartial(t *testing.T, def *schema.Table, rows []change.Row) error {
	t.Helper()
	for i := range rows {
		r := &rows[i]
		layout, err := Bind(r.Table, def)
		if err != nil {
			t.Fatal(err)
		}
		if err := layout.CheckPartial(r.RowsHeader); err != nil {
			return err
		}
		sql, err := partialSQL(layout, r)
		if err != nil {
			return err
		}
		result, err := l.session.ExecContext(t.Context(), sql)
		if err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		if n, err := result.RowsAffected(); n != 1 || err != nil {
			return fmt.Errorf("%d rows by %s (%v)", n, sql, err)
		}
		if err := l.diffsDone(t, layout, r); err != nil {
			return fmt.Errorf("behind %s: %w", sql, err)
		}
	}
	return nil
}

// diffsDone checks that the JSON differences of a row that has been written have all been applied.
func (l *lab) diffsDone(t *testing.T, layout *Layout, r *change.Row) error {
	t.Helper()
	done, _, some, err := layout.AppendDiffsDone(nil, r)
	if err != nil || !some {
		return err
	}
	_, condition, _ := strings.Cut(string(done), " WHERE ") // The driver counts changed rows here, and this changes none.
	if n := l.count(t, "SELECT COUNT(*) FROM "+layout.Table().QuotedName()+" WHERE "+condition); n != 1 {
		return fmt.Errorf("differences that do not fit: %d rows have %s", n, condition)
	}
	return nil
}

func partialSQL(l *Layout, r *change.Row) (string, error) {
	name := l.Table().QuotedName()
	if r.Op == change.Insert {
		columns, err := l.PartialInsertColumns(r.PresentAfter)
		if err != nil {
			return "", err
		}
		tuple, err := l.AppendPartialTuple(nil, r.After, r.PresentAfter)
		return "INSERT INTO " + name + " (" + columns + ") VALUES " + string(tuple), err
	}
	out := []byte("DELETE FROM " + name)
	if r.Op == change.Update {
		var changed bool
		var err error
		if out, changed, err = l.AppendPartialSet([]byte("UPDATE "+name+" SET "), r); err != nil || !changed {
			return "", fmt.Errorf("nothing to set: %w", err)
		}
	}
	out, unique, err := l.AppendPartialMatch(append(out, " WHERE "...), r.Before, r.PresentBefore)
	if !unique {
		out = append(out, " LIMIT 1"...)
	}
	return string(out), err
}

// content is every column of every row, in bytes.
func (l *lab) content(t *testing.T, db string, def *schema.Table) [][]string {
	t.Helper()
	var columns []string
	for _, c := range def.Columns {
		columns = append(columns, "COALESCE(HEX("+schema.QuoteName(c.Name)+"),'NULL')")
	}
	rows := l.QueryT(t, "SELECT "+strings.Join(columns, ",")+" FROM "+db+".t")
	slices.SortFunc(rows, slices.Compare[[]string])
	return rows
}

// partialHeader makes a header by bitmaps, low bit first.
func partialHeader(m *change.TableMap, op change.Op, before, after byte) *change.RowsHeader {
	return &change.RowsHeader{Table: m, Op: op, PresentBefore: []byte{before}, PresentAfter: []byte{after}}
}

func TestPartialImagesThatCannotBeWritten(t *testing.T) {
	m, def := tableOf(intColumn("id"), intColumn("made"), intColumn("bare"), varbinaryColumn("v"))
	def.Columns[1].Default, def.Columns[2].Default = schema.ComputedDefault, schema.ImplicitDefault
	keyless := *def
	def.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	def.Secondary = []*schema.Key{{Name: "v", Parts: []schema.KeyPart{{Column: 3}}, Weighed: true, NotNull: true},
		{Name: "p", Parts: []schema.KeyPart{{Column: 1, Prefix: 1}}, Weighed: true, NotNull: true}}
	for name, tc := range map[string]struct {
		def    *schema.Table
		h      *change.RowsHeader
		column string // Named by the refusal; "" when there is none.
	}{
		"an insert without a computed default":              {def, partialHeader(m, change.Insert, 0, 0b1101), "made"},
		"an insert of what has no literal default":          {def, partialHeader(m, change.Insert, 0, 0b0010), ""},
		"an update that shows the key only":                 {def, partialHeader(m, change.Update, 0b0001, 0b0100), ""},
		"a delete that shows another unique key":            {def, partialHeader(m, change.Delete, 0b1000, 0), ""},
		"a delete that shows a key of prefixes":             {def, partialHeader(m, change.Delete, 0b0010, 0), "id"},
		"an update that shows no key":                       {def, partialHeader(m, change.Update, 0b0110, 0b1111), "id"},
		"a delete of a keyless table without all columns":   {&keyless, partialHeader(m, change.Delete, 0b0111, 0), "v"},
		"an update of a keyless table with a partial image": {&keyless, partialHeader(m, change.Update, 0b1111, 0b0001), ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Bind(m, tc.def)
			if err != nil {
				t.Fatal(err)
			}
			err = l.CheckPartial(tc.h)
			f := change.FaultOf(err)
			if tc.column == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if f == nil || f.Code != CodePartial || !strings.HasSuffix(f.Where, "`"+tc.column+"`") || f.Next == "" {
				t.Fatalf("got %v, want %s at column %s", err, CodePartial, tc.column)
			}
		})
	}
}

func TestPartialWriters(t *testing.T) {
	m, def := tableOf(intColumn("id"), intColumn("at"), intColumn("bare"), varbinaryColumn("v"))
	def.Columns[1].OnUpdateNow, def.Columns[2].Default = true, schema.ImplicitDefault
	def.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	l, err := Bind(m, def)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		row  change.Row
		want string
	}{
		"an insert takes the zero value of what has no default": {
			change.Row{RowsHeader: partialHeader(m, change.Insert, 0, 0b1001), After: image(int4(7), nil)},
			"INSERT INTO `s`.`t` (`id`,`bare`,`v`) VALUES (7,0,NULL)"},
		"ON UPDATE keeps its value": {
			change.Row{RowsHeader: partialHeader(m, change.Update, 0b0001, 0b1000), Before: image(int4(7)), After: image(long("x"))},
			"UPDATE `s`.`t` SET `at`=`at`,`v`=_binary'x' WHERE `id`=7"},
		"ON UPDATE is written when it is there": {
			change.Row{RowsHeader: partialHeader(m, change.Update, 0b0001, 0b0110), Before: image(int4(7)), After: image(int4(3), int4(4))},
			"UPDATE `s`.`t` SET `at`=3,`bare`=4 WHERE `id`=7"},
		"what the before-image shows to be equal is left out": {
			change.Row{RowsHeader: partialHeader(m, change.Update, 0b0101, 0b1101), Before: image(int4(7), int4(4)), After: image(int4(8), int4(4), nil)},
			"UPDATE `s`.`t` SET `id`=8,`at`=`at`,`v`=NULL WHERE `id`=7"},
		"a delete by the key": {
			change.Row{RowsHeader: partialHeader(m, change.Delete, 0b0001, 0), Before: image(int4(7))},
			"DELETE FROM `s`.`t` WHERE `id`=7"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := partialSQL(l, &tc.row)
			if err != nil || got != tc.want {
				t.Fatalf("%v\n got %s\nwant %s", err, got, tc.want)
			}
			damaged(t, l, tc.row.Before, tc.row.PresentBefore)
			damaged(t, l, tc.row.After, tc.row.PresentAfter)
		})
	}
}

// damaged cuts an image off at each byte and lengthens it: an error each time, never a panic or another row.
func damaged(t *testing.T, l *Layout, img, present []byte) {
	t.Helper()
	if img == nil {
		return
	}
	for n := range img {
		if _, err := l.cells(img[:n], present); err == nil {
			t.Errorf("an image of %d bytes is taken when cut to %d", len(img), n)
		}
	}
	if _, err := l.cells(append(slices.Clip(img), 0), present); err == nil {
		t.Error("an image that is too long is taken")
	}
	if _, err := l.cells(img, nil); err == nil {
		t.Error("an image without its bitmap is taken")
	}
}

func TestImagesWithoutColumns(t *testing.T) {
	m, _ := tableOf(intColumn("id"), intColumn("v"))
	for name, tc := range map[string]struct {
		h    *change.RowsHeader
		want bool
	}{
		"insert of nothing":     {partialHeader(m, change.Insert, 0, 0b11111100), true}, // Bits behind the last column mean nothing.
		"insert of a column":    {partialHeader(m, change.Insert, 0, 0b10), false},
		"update from nothing":   {partialHeader(m, change.Update, 0, 0b11), true},
		"update to nothing":     {partialHeader(m, change.Update, 0b01, 0), true},
		"delete by the key":     {partialHeader(m, change.Delete, 0b01, 0), false},
		"delete without a hint": {partialHeader(m, change.Delete, 0, 0), true},
	} {
		if got := Empty(tc.h); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
