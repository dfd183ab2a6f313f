package testmysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compareSchema has a table per storage of values that a careless comparison would take for equal.
var compareSchema = []string{
	"CREATE DATABASE shop CHARACTER SET utf8mb4",
	"CREATE TABLE shop.keyed (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), INDEX (name))",
	"CREATE TABLE shop.keyless (v VARCHAR(10))",
	"CREATE TABLE shop.numbers (f FLOAT, d DOUBLE, m DECIMAL(30,10), b BIT(10), e ENUM('a','b'), s SET('x','y'), y YEAR)",
	"CREATE TABLE shop.times (t TIME(6), d DATETIME(6), s TIMESTAMP(6) NULL)",
	"CREATE TABLE shop.texts (a TEXT, l VARCHAR(9) CHARACTER SET latin1, b BLOB, j JSON, n BINARY(3))",
	"INSERT INTO shop.keyed (name) VALUES ('one'), ('two'), (NULL)",
	"INSERT INTO shop.keyless VALUES ('same'), ('same'), ('same'), ('N'), (NULL)",
	"INSERT INTO shop.numbers VALUES (16777215, 0.1, 12345678901234567890.0123456789, b'1', 'a', 'x,y', 2026), (NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
	"INSERT INTO shop.numbers (d) VALUES (0e0)",
	"CREATE TABLE shop.places (g GEOMETRY)",
	"INSERT INTO shop.places VALUES (ST_GeomFromText('POINT(1 2)'))",
	"INSERT INTO shop.times VALUES ('-10:00:00.000001', '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00.000001')",
	"INSERT INTO shop.texts VALUES ('É', 'é', x'00ff', '{\"a\": 1.0}', 'a')",
}

func TestCompareFindsEachKindOfDifference(t *testing.T) {
	a := StartT(t, Options{Name: "first"})
	b := StartT(t, TargetOptions()) // Encrypted: its definitions carry ENCRYPTION clauses.
	a.Exec(t, compareSchema...)
	b.Exec(t, compareSchema...)
	b.Exec(t, "ALTER TABLE shop.keyed AUTO_INCREMENT = 1000")

	differences, rows, err := Compare(t.Context(), a.DB(), b.DB())
	if err != nil || len(differences) > 0 || rows != 14 {
		t.Fatalf("equal servers: %d rows, error %v, differences %q", rows, err, differences)
	}
	const changed = "%[1]s: %[2]d and %[2]d rows; 1 only on the first server, 1 only on the second"
	cases := map[string]struct{ change, undo, want string }{
		"a keyless row more":          {"INSERT INTO shop.keyless VALUES ('same')", "DELETE FROM shop.keyless WHERE v = 'same' LIMIT 1", "`keyless`: 5 and 6 rows; 0 only on the first server, 1 only on the second"},
		"NULL and the letter N":       {"UPDATE shop.keyless SET v = 'N' WHERE v IS NULL", "UPDATE shop.keyless SET v = NULL WHERE v = 'N' LIMIT 1", fmt.Sprintf(changed, "`keyless`", 5)},
		"case, equal by collation":    {"UPDATE shop.keyed SET name = 'ONE' WHERE id = 1", "UPDATE shop.keyed SET name = 'one' WHERE id = 1", fmt.Sprintf(changed, "`keyed`", 3)},
		"the last bit of a FLOAT":     {"UPDATE shop.numbers SET f = 16777214 WHERE f IS NOT NULL", "UPDATE shop.numbers SET f = 16777215 WHERE f IS NOT NULL", fmt.Sprintf(changed, "`numbers`", 3)},
		"the last digit of a DECIMAL": {"UPDATE shop.numbers SET m = m + 0.0000000001", "UPDATE shop.numbers SET m = m - 0.0000000001", fmt.Sprintf(changed, "`numbers`", 3)},
		"a microsecond":               {"UPDATE shop.times SET s = '2026-01-01 00:00:00.000002'", "UPDATE shop.times SET s = '2026-01-01 00:00:00.000001'", fmt.Sprintf(changed, "`times`", 1)},
		"a JSON number's kind":        {"UPDATE shop.texts SET j = '{\"a\": 1}'", "UPDATE shop.texts SET j = '{\"a\": 1.0}'", fmt.Sprintf(changed, "`texts`", 1)},
		"a JSON number's type":        {"UPDATE shop.texts SET j = JSON_OBJECT('a', CAST(1.0 AS DECIMAL(2,1)))", "UPDATE shop.texts SET j = '{\"a\": 1.0}'", fmt.Sprintf(changed, "`texts`", 1)},
		"the sign of zero":            {"UPDATE shop.numbers SET d = -0e0 WHERE d = 0", "UPDATE shop.numbers SET d = 0e0 WHERE d = 0", fmt.Sprintf(changed, "`numbers`", 3)},
		"a geometry's SRID":           {"UPDATE shop.places SET g = ST_SRID(g, 3857)", "UPDATE shop.places SET g = ST_SRID(g, 0)", fmt.Sprintf(changed, "`places`", 1)},
		"a zero byte":                 {"UPDATE shop.texts SET b = x'00ff00'", "UPDATE shop.texts SET b = x'00ff'", fmt.Sprintf(changed, "`texts`", 1)},
		"a table more":                {"CREATE TABLE shop.more (id INT)", "DROP TABLE shop.more", "`shop`.`more`: only on the second server"},
		"a column's type":             {"ALTER TABLE shop.keyless MODIFY v VARCHAR(11)", "ALTER TABLE shop.keyless MODIFY v VARCHAR(10)", "`keyless`: definitions differ"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b.Exec(t, c.change)
			differences, _, err := Compare(t.Context(), a.DB(), b.DB(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if len(differences) != 1 || !strings.Contains(differences[0], c.want) {
				t.Errorf("want one difference with %q (-want +got):\n%s", c.want, cmp.Diff([]string{c.want}, differences))
			}
			b.Exec(t, c.undo)
			if differences, _, err := Compare(t.Context(), a.DB(), b.DB(), "shop"); err != nil || len(differences) > 0 {
				t.Errorf("after undo: %v %q", err, differences)
			}
		})
	}
}

func TestDigestTellsWhichTableChanged(t *testing.T) {
	s := StartT(t, Options{Name: "digest"})
	s.Exec(t, compareSchema...)
	before, err := s.Digest(t.Context(), "shop")
	if err != nil || len(before) != 6 {
		t.Fatalf("%d tables, error %v", len(before), err)
	}
	s.Exec(t, "UPDATE shop.keyed SET name = 'ONE' WHERE id = 1", "ALTER TABLE shop.times COMMENT = 'x'")
	after, err := s.Digest(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for table, digest := range after {
		if changed := table == "`shop`.`keyed`" || table == "`shop`.`times`"; changed != (digest != before[table]) {
			t.Errorf("%s: changed %v, want %v", table, !changed, changed)
		}
	}
}

// By name, columns may stand elsewhere on the second server, or be more; a column that is missing there or is defined
// otherwise, and a row that differs in what the first server has, still show.
func TestCompareByName(t *testing.T) {
	a, b := StartT(t, Options{Name: "first"}), StartT(t, Options{Name: "second"})
	for _, s := range []*Server{a, b} {
		s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT, w INT)", "INSERT INTO shop.t VALUES (1,2,3),(2,3,2)")
	}
	b.Exec(t, "ALTER TABLE shop.t MODIFY w INT FIRST, ADD x INT DEFAULT 5 FIRST, RENAME COLUMN v TO V, DROP PRIMARY KEY, ADD PRIMARY KEY (x, id)")
	for _, c := range []struct{ change, want string }{
		{"UPDATE shop.t SET x=6", ""},
		{"UPDATE shop.t SET w=V, V=w WHERE id=1", "1 only on the first server"},
		{"UPDATE shop.t SET w=3, V=2 WHERE id=1", ""},
		{"ALTER TABLE shop.t MODIFY w BIGINT FIRST", "definitions differ"},
		{"ALTER TABLE shop.t DROP w", "definitions differ"},
	} {
		b.Exec(t, c.change)
		differences, _, err := CompareByName(t.Context(), a.DB(), b.DB(), "shop")
		got := strings.Join(differences, "\n")
		if err != nil || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: error %v, differences %q, want %q", c.change, err, got, c.want)
		}
	}
}
