package rowimage

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/binseal/binseal/schema"
)

// keyTypes: a column type that a key can have, and values of it, among them pairs that the server takes for equal.
var keyTypes = []struct {
	name, typ string
	prefix    int // Of a key over the first characters only.
	values    []string
	loose     bool // The order of the keys' bytes may differ from the server's.
}{
	{"TINYINT", "TINYINT", 0, []string{"-128", "-1", "0", "1", "127"}, false},
	{"MEDIUMINT UNSIGNED", "MEDIUMINT UNSIGNED", 0, []string{"0", "255", "256", "16777215"}, false},
	{"BIGINT", "BIGINT", 0, []string{"-9223372036854775808", "-256", "-1", "0", "255", "256", "9223372036854775807"}, false},
	{"BIGINT UNSIGNED", "BIGINT UNSIGNED", 0, []string{"0", "9223372036854775808", "18446744073709551615"}, false},
	{"DECIMAL", "DECIMAL(20,5)", 0, []string{"-100", "-1.5", "-1.4", "-0.00001", "0", "-0.0", "0.00001", "9.99999", "10", "123456789012345.12345"}, false},
	{"FLOAT", "FLOAT", 0, []string{"-3e38", "-1.5", "-1e-40", "-0e0", "0", "1e-40", "0.1", "1.5", "3e38"}, false},
	{"DOUBLE", "DOUBLE", 0, []string{"-1e308", "-1.5", "-5e-324", "-0e0", "0", "5e-324", "0.1", "1e308"}, false},
	{"BIT", "BIT(33)", 0, []string{"0", "1", "256", "8589934591"}, false},
	{"wide BIT", "BIT(64)", 0, []string{"0", "9223372036854775807", "9223372036854775808", "18446744073709551615"}, false},
	{"YEAR", "YEAR", 0, []string{"'0000'", "1901", "2000", "2024", "2155"}, false},
	{"DATE", "DATE", 0, []string{"'0000-00-00'", "'2023-12-31'", "'2024-01-01'", "'2024-02-31'", "'9999-12-31'"}, false},
	{"TIME", "TIME(3)", 0, []string{"'-838:59:59'", "'-00:00:01'", "'-00:00:00.999'", "'-00:00:00.001'", "'00:00:00'", "'00:00:00.001'", "'838:59:59'"}, false},
	{"DATETIME", "DATETIME(6)", 0, []string{"'0000-00-00 00:00:00'", "'2024-01-01 00:00:00'", "'2024-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'"}, false},
	{"TIMESTAMP", "TIMESTAMP(2)", 0, []string{"'0000-00-00 00:00:00'", "'1970-01-01 00:00:01'", "'2024-01-01 00:00:00.01'", "'2038-01-19 03:14:07.99'"}, false},
	// The server compares ENUM and SET columns with each other as text, but their keys as numbers.
	{"ENUM", "ENUM('b','a','c')", 0, []string{"1", "2", "3"}, true},
	{"SET", "SET(" + setMembers(64) + ")", 0, []string{"0", "1", "3", "256", "9223372036854775808", "18446744073709551615"}, true},
	{"BINARY", "BINARY(4)", 0, []string{"''", "0x00", "0x61", "0x6100", "0x610001", "0x61626364", "0xFF"}, false},
	{"VARBINARY", "VARBINARY(8)", 0, []string{"''", "0x00", "0x0000", "0x0001", "0x00FF", "0x61", "0x6100", "0x61FF", "0xFF"}, false},
	{"prefix of a BLOB", "BLOB", 2, []string{"''", "'a'", "'ab'", "'abc'", "'abd'", "0x616263", "0x6100"}, false},
	{"prefix of a TEXT", "TEXT", 2, []string{"''", "'é'", "'éa'", "'éab'", "'eAc'", "'日本語'", "'日本人'", "'😀a1'", "'😀A2'"}, false},
	{"prefix with PAD SPACE", "VARCHAR(9) COLLATE utf8mb4_general_ci", 3, []string{"'ab'", "'ab '", "'ab c'", "'abc'", "'abcd'"}, false},
	{"utf8mb4_0900_ai_ci", "VARCHAR(9)", 0, texts, true},
	{"utf8mb4_0900_as_cs", "VARCHAR(9) COLLATE utf8mb4_0900_as_cs", 0, texts, true},
	{"utf8mb4_0900_bin", "VARCHAR(9) COLLATE utf8mb4_0900_bin", 0, texts, true},
	{"utf8mb4_general_ci", "VARCHAR(9) COLLATE utf8mb4_general_ci", 0, texts, true},
	{"utf8mb4_unicode_ci", "VARCHAR(9) COLLATE utf8mb4_unicode_ci", 0, texts, true},
	{"utf8mb4_bin", "VARCHAR(9) COLLATE utf8mb4_bin", 0, texts, true},
	{"CHAR under NO PAD", "CHAR(9)", 0, texts, true},
	{"CHAR in utf8mb3", "CHAR(9) CHARACTER SET utf8mb3", 0, narrowTexts, true},
	{"latin1", "VARCHAR(9) CHARACTER SET latin1", 0, narrowTexts, true},
	{"latin1_bin", "CHAR(9) CHARACTER SET latin1 COLLATE latin1_bin", 0, narrowTexts, true},
	{"ascii", "VARCHAR(9) CHARACTER SET ascii", 0, []string{"''", "'a'", "'A'", "'a '", "'a\\0'", "'b'", "'_'"}, true},
}

var (
	narrowTexts = []string{"''", "' '", "'a'", "'A'", "'a '", "'a  '", "'á'", "'ä'", "'Ä'", "'ae'", "'ß'", "'ss'", "'s'", "'b'", "'ab'", "'a b'", "'a\\0'", "'\\0'", "'z'", "'é'", "'e'", "'\\''", "'\\\\'"}
	texts       = append([]string{"'😀'", "'😁'", "'日本'", "'ﬀ'", "'ff'", "'İ'", "'i'", "'ı'", "'e\u0301'"}, narrowTexts...)
)

// Two rows have the same key bytes exactly when the server takes the values for equal, and the bytes sort alike.
func TestServerKeys(t *testing.T) {
	l := newLab(t, "MINIMAL")
	for n, c := range keyTypes {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("k%d", n)
			from := l.position(t)
			statements := []string{"SET NAMES utf8mb4", "SET time_zone='+00:00'", "SET sql_mode='ALLOW_INVALID_DATES'",
				fmt.Sprintf("CREATE TABLE dst.%s (id INT AUTO_INCREMENT, v %s, PRIMARY KEY (id)) CHARACTER SET utf8mb4", name, c.typ)}
			for _, v := range c.values {
				statements = append(statements, fmt.Sprintf("INSERT INTO dst.%s (v) VALUES (%s)", name, v))
			}
			l.Exec(t, append(statements, "SET sql_mode=DEFAULT")...)
			rows := l.changes(t, from)
			key := &schema.Key{Name: "v", Weighed: true, Parts: []schema.KeyPart{{Column: 1, Prefix: c.prefix}}}
			tab := l.table(t, "dst", name)
			tab.Secondary = []*schema.Key{key}
			layout, err := Bind(rows[0].Table, tab)
			if err != nil {
				t.Fatal(err)
			}
			var keys [][]byte
			for _, r := range rows {
				k, null, err := layout.AppendKey(nil, r.After, key)
				if err != nil || null {
					t.Fatal(null, err)
				}
				keys = append(keys, k)
			}
			a, b := "a.v", "b.v"
			if c.prefix > 0 {
				a, b = fmt.Sprintf("LEFT(a.v,%d)", c.prefix), fmt.Sprintf("LEFT(b.v,%d)", c.prefix)
			}
			for _, p := range l.QueryT(t, fmt.Sprintf("SELECT a.id, b.id, %s=%s, %s<%s FROM dst.%s a JOIN dst.%s b", a, b, a, b, name, name)) {
				i, j := number(t, p[0])-1, number(t, p[1])-1
				if bytes.Equal(keys[i], keys[j]) != (p[2] == "1") {
					t.Errorf("%s = %s is %s on the server; keys % x and % x", c.values[i], c.values[j], p[2], keys[i], keys[j])
				}
				if !c.loose && bytes.Compare(keys[i], keys[j]) < 0 != (p[3] == "1") {
					t.Errorf("%s < %s is %s on the server; keys % x and % x", c.values[i], c.values[j], p[3], keys[i], keys[j])
				}
				// The images differ in id and v; of the same id, they are the same image.
				if respelt, err := layout.Respelled(rows[i].After, rows[j].After, key); err != nil || respelt == bytes.Equal(rows[i].After[5:], rows[j].After[5:]) {
					t.Errorf("%s and %s are spelt differently: %v, %v", c.values[i], c.values[j], respelt, err)
				}
				if i != j && !bytes.Equal(keys[i], keys[j]) && bytes.HasPrefix(keys[j], keys[i]) {
					t.Errorf("the key of %s begins that of %s", c.values[i], c.values[j])
				}
			}
		})
	}
}

// A row is found by its identity, alone and among others, whatever types the key has; and through the index.
func TestServerIdentity(t *testing.T) {
	l := newLab(t, "FULL")
	for n, c := range keyTypes {
		if c.prefix > 0 {
			continue // A prefix is no identity.
		}
		for _, extra := range []string{"", ",n"} {
			t.Run(c.name+extra, func(t *testing.T) {
				name := fmt.Sprintf("i%d%s", n, strings.Trim(extra, ","))
				from := l.position(t)
				l.Exec(t, "SET NAMES utf8mb4", "SET time_zone='+00:00'", "SET sql_mode='ALLOW_INVALID_DATES'",
					fmt.Sprintf("CREATE TABLE dst.%s (n INT, v %s NOT NULL, PRIMARY KEY (v%s)) CHARACTER SET utf8mb4", name, c.typ, extra),
					fmt.Sprintf("INSERT IGNORE INTO dst.%s (n,v) VALUES (1,%s)", name, strings.Join(c.values, "),(1,")),
					"ANALYZE TABLE dst."+name, "SET sql_mode=DEFAULT")
				rows := l.changes(t, from)
				layout, err := Bind(rows[0].Table, l.table(t, "dst", name))
				if err != nil {
					t.Fatal(err)
				}
				var list []byte
				for _, r := range rows {
					id, err := layout.AppendIdentity(nil, r.After)
					if err != nil {
						t.Fatal(err)
					}
					match, err := layout.AppendIdentityMatch(nil, r.After)
					if err != nil {
						t.Fatal(err)
					}
					for _, where := range []string{layout.IdentityColumns() + " IN (" + string(id) + ")", string(match)} {
						if n := l.count(t, "SELECT COUNT(*) FROM dst."+name+" WHERE "+where); n != 1 {
							t.Errorf("%d rows where %s", n, where)
						}
						if key := l.usedKey(t, "UPDATE dst."+name+" SET n=2 WHERE "+where); key != "PRIMARY" {
							t.Errorf("where %s: not found through the key but %q", where, key)
						}
					}
					if list != nil {
						list = append(list, ',')
					}
					list = append(list, id...)
				}
				where := fmt.Sprintf("%s IN (%s)", layout.IdentityColumns(), list)
				if n := l.count(t, "SELECT COUNT(*) FROM dst."+name+" WHERE "+where); n != len(rows) {
					t.Errorf("%d rows where %s, want %d", n, where, len(rows))
				}
			})
		}
	}
}

// usedKey asks the optimizer by which key it would find the rows.
func (l *lab) usedKey(t *testing.T, statement string) string {
	t.Helper()
	var plan string
	if err := l.session.QueryRowContext(t.Context(), "EXPLAIN FORMAT=JSON "+statement).Scan(&plan); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`"key": "(\w+)"|"index_name": "(\w+)"`).FindStringSubmatch(plan)
	if m == nil {
		return plan
	}
	return m[1] + m[2]
}
