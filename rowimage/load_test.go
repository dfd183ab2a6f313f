package rowimage

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// Each value that a real source holds comes back, bit for bit, through LOAD DATA, with no warning; tables and rows that do not
// take this way are those of which it is known.
func TestServerLoadsLines(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	l.Exec(t, "SET GLOBAL local_infile=ON")
	notLoaded := map[string]int{"enums and sets": 5, "JSON that needs an expression": 8, "JSON that text can express": 1, "JSON with values of other types": 9}
	for _, wide := range []string{"ucs2", "utf16", "utf16le", "utf32"} {
		notLoaded["character set "+wide] = -1 // All: an ENUM of theirs takes no number.
	}
	const digits = "members that the collation takes for digits"
	notLoaded[digits] = -1
	own := []roundTrip{
		{digits, "", "a ENUM('０','１','２') COLLATE utf8mb4_0900_ai_ci,b SET('①','②') COLLATE utf8mb4_0900_ai_ci", []string{"'０','①'", "'１','②'", "'２','①,②'"}},
		{"tabs, escapes and what looks like them", "", "a VARCHAR(40),b BLOB,c CHAR(5)", []string{
			"'\t',0x09,'\t'", "'a\tb\t\tc\\\\tN','\\\\N','N'", `'\\N','\\\\N','\\N'`, "'N','N','NULL'", "'','',''", "'\n\n','\r\n','\n'", "'x',NULL,NULL", "' x ',' ',' '", "'NULL','null','\\\\'",
		}},
		{"one column", "", "a VARCHAR(10)", []string{"''", "'x'", "NULL", "''"}},
		{"enums and sets whose members are words", "", "a ENUM('x','it''s, ok','é'),b SET('a','b','c'),c SET(" + setMembers(64) + "),d ENUM(" + setMembers(300) + ")", []string{
			"'x','','','m1'", "'it''s, ok','a,c','m1,m64','m300'", "'é','a,b,c'," + "18446744073709551615" + ",'m256'", "NULL,NULL,NULL,NULL", "'x','b',9223372036854775808,'m255'",
		}},
		{"JSON with tabs and quotes", "", "a JSON,b INT", []string{`'"a\\tb"',1`, `'{"it\'s":"\\\\ \\"q\\" \\u0009 \\n"}',2`, "NULL,3", "'null',4", `'"N"',5`, `'"\\\\N"',6`}},
	}
	for n, c := range slices.Concat(roundTrips, typeTrips, charsetTrips(), own) {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("t%d", n)
			rows := l.written(t, name, c)
			want := len(rows) - notLoaded[c.name]
			if notLoaded[c.name] < 0 {
				want = 0
			}
			if loaded := l.loadAndCompare(t, name, rows); loaded != want {
				t.Errorf("%d of %d rows were loaded, want %d", loaded, len(rows), want)
			}
		})
	}
}

// loadAndCompare writes rows by one LOAD DATA, looks at the images that the target logs, and gives the number of rows.
func (l *lab) loadAndCompare(t *testing.T, name string, rows []change.Row) int {
	t.Helper()
	layout, err := Bind(rows[0].Table, l.table(t, "dst", name))
	if err != nil {
		t.Fatal(err)
	}
	if !layout.Loads() {
		return 0
	}
	var lines []byte
	var written []change.Row
	for _, r := range rows {
		loads, err := layout.LoadsRow(r.After)
		if err != nil {
			t.Fatal(err)
		}
		if zero, err := layout.HasEnumZero(r.After, nil); err != nil {
			t.Fatal(err)
		} else if !loads || zero {
			continue
		}
		if lines, err = layout.AppendLine(lines, r.After); err != nil {
			t.Fatal(err)
		}
		written = append(written, r)
	}
	if written == nil {
		return 0
	}
	from := l.position(t)
	mysql.RegisterReaderHandler(t.Name(), func() io.Reader { return strings.NewReader(string(lines)) })
	l.exec(t, "LOAD DATA LOCAL INFILE 'Reader::"+strings.ReplaceAll(t.Name(), "'", "''")+"' "+layout.LoadInto())
	if n := l.count(t, "SELECT @@warning_count"); n > 0 {
		t.Errorf("%d warnings", n)
	}
	logged := l.changes(t, from)
	if len(logged) != len(written) {
		t.Fatalf("%d rows logged by the target, want %d", len(logged), len(written))
	}
	for i := range written {
		if diff := cmp.Diff(written[i].After, logged[i].After); diff != "" {
			line, _ := layout.AppendLine(nil, written[i].After)
			t.Errorf("row %d, written as %.200q: image differs (-source +target):\n%s", i, line, diff)
		}
	}
	return len(written)
}
