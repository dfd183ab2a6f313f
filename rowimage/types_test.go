package rowimage

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// typedValues makes a table whose columns have the types that JSON keeps besides its own.
var typedValues = []string{
	"CREATE TABLE src.typed (n INT, a BINARY(4), b VARBINARY(9), c BLOB, e MEDIUMBLOB, f LONGBLOB, g BIT(1), h BIT(33), i BIT(64), j TIMESTAMP NULL, k TIMESTAMP(6) NULL)",
	"SET time_zone='+00:00'", "SET sql_mode=''",
	"INSERT INTO src.typed VALUES (1,0x00FF2700,0x00FF5C27,0xC328,0xFF,0xFE,1,4294967297,18446744073709551615,'2024-02-29 12:34:56','2038-01-19 03:14:07.999999')," +
		"(2,'','','','','',0,0,0,'0000-00-00 00:00:00','1970-01-01 00:00:01')," +
		"(3,'a','b',REPEAT(0xFF,65535),REPEAT(0xFE,70000),REPEAT(0xFD,100000),1,1,1,NULL,NULL)",
	"SET sql_mode=DEFAULT",
}

// typeTrips are further round trips: types whose bytes are put into the column as they are, and JSON that holds them.
var typeTrips = []roundTrip{
	{"spatial types", "", "g GEOMETRY,p POINT SRID 4326,l LINESTRING,y POLYGON SRID 0,a MULTIPOINT,b MULTILINESTRING,c MULTIPOLYGON,d GEOMETRYCOLLECTION,n INT", []string{
		"ST_GeomFromText('POINT(1 2)',4326),ST_GeomFromText('POINT(-33.5 151.25)',4326),ST_GeomFromText('LINESTRING(0 0,1 1)'),ST_GeomFromText('POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,1 2,2 2,2 1,1 1))')," +
			"ST_GeomFromText('MULTIPOINT(1 1,2 2)',3857),ST_GeomFromText('MULTILINESTRING((0 0,1 1),(2 2,3 3))'),ST_GeomFromText('MULTIPOLYGON(((0 0,0 1,1 1,0 0)))'),ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,2 2))'),1",
		"ST_GeomFromText('POINT(1 2)',0),NULL,NULL,NULL,NULL,NULL,NULL,ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'),2",
		"NULL,NULL,ST_GeomFromText('LINESTRING(39 92,10 13)'),NULL,NULL,NULL,NULL,NULL,3",
		"ST_GeomFromText(CONCAT('LINESTRING(',REPEAT('1.5 -2.25,',5000),'0 0)'),4326),NULL,NULL,NULL,NULL,NULL,NULL,NULL,4",
		"ST_GeomFromText('POINT(2 1)',4326),NULL,NULL,NULL,NULL,NULL,NULL,NULL,2",
	}},
	{"vectors", "", "v VECTOR(3),w VECTOR,n INT", []string{
		"TO_VECTOR('[1,2,3]'),TO_VECTOR('[1]'),1", "NULL,NULL,2", "TO_VECTOR('[-0.0,1e-30,3.4e38]'),NULL,3", "TO_VECTOR('[0,0,0]'),NULL,3",
		"TO_VECTOR('[39,92,0.1]'),TO_VECTOR(CONCAT('[',REPEAT('0.25,',2000),'1]')),4", "TO_VECTOR('[1,2]'),NULL,5",
	}},
	{"JSON with values of other types", "", "a JSON,b INT", []string{
		"(SELECT JSON_ARRAY(a,b,c,e,f,g,h,i,j,k) FROM src.typed WHERE n=1),1", "(SELECT JSON_ARRAY(a,b,c,e,f,g,h,i,j,k) FROM src.typed WHERE n=2),2",
		"(SELECT JSON_OBJECT('c',c,'e',e,'f',f) FROM src.typed WHERE n=3),3", "(SELECT CAST(k AS JSON) FROM src.typed WHERE n=1),4", "(SELECT CAST(i AS JSON) FROM src.typed WHERE n=1),5",
		"(SELECT CAST(a AS JSON) FROM src.typed WHERE n=1),6", "(SELECT CAST(c AS JSON) FROM src.typed WHERE n=1),7", "CAST(_binary'it\\'s' AS JSON),8", "JSON_OBJECT('k',CAST(x'00FF' AS BINARY)),9",
	}},
}

// Bytes of characters that a reader in the statement's own character set would take for a backslash, a quote or the
// end of the text. Each is a valid text in its set.
var trickyTexts = map[string][]string{
	"sjis": {"835c", "815c27", "b15c", "8140"}, "cp932": {"835c", "815c835c", "fa5c", "81ad"}, "big5": {"a55c", "a55c5c", "a15c"},
	"gbk": {"815c", "bf5c", "bf5c27", "aa5c"}, "gb18030": {"815c", "81308130", "bf5c5c", "90308130"}, "gb2312": {"b0a15c"}, "euckr": {"b0a127"}, "ujis": {"a4a25c", "8fb0a1", "8eb1"}, "eucjpms": {"a4a25c", "8fb0a1"},
	"ucs2": {"0027", "005c", "5c5c", "2727", "0000", "27005c00"}, "utf16": {"0027", "5c27", "d83dde00", "0000"}, "utf16le": {"2700", "5c27", "3dd800de", "0000"},
	"utf32": {"00000027", "00005c27", "0001f600", "00000000"},
}

// charsetTrips has a table for each character set: of one byte per character all 256 bytes, of the others every
// character that the set has of Unicode's basic plane.
func charsetTrips() []roundTrip {
	var plane strings.Builder
	for r := rune(1); r <= 0xFFFD; r++ {
		if r < 0xD800 || r > 0xDFFF {
			plane.WriteRune(r)
		}
	}
	all := hex.EncodeToString([]byte(plane.String()))
	var trips []roundTrip
	for _, cs := range charsets {
		if cs.name == "binary" {
			continue
		}
		c := roundTrip{name: "character set " + cs.name}
		for i, typ := range []string{"VARCHAR(100)", "CHAR(20)", "MEDIUMTEXT", "ENUM('a','b')", "SET('a','b')"} {
			c.columns += fmt.Sprintf("c%d %s CHARACTER SET %s,", i, typ, cs.name)
		}
		c.columns += "n INT"
		row := func(value string) {
			c.values = append(c.values, fmt.Sprintf("%s,%s,%s,'b','a,b',%d", value, value, value, len(c.values)))
		}
		row("''")
		row("'plain'")
		for _, s := range trickyTexts[cs.name] {
			row("_" + cs.name + " x'" + s + "'")
		}
		c.values = append(c.values, fmt.Sprintf("NULL,NULL,CONVERT(_utf8mb4 x'%s' USING %s),NULL,NULL,NULL", all, cs.name))
		if !cs.hex && !cs.utf8() && cs.name != "ascii" {
			var bytes [256]byte
			for i := range bytes {
				bytes[i] = byte(i)
			}
			c.values = append(c.values, fmt.Sprintf("_%s x'%x',NULL,_%s x'%x',NULL,NULL,1", cs.name, bytes[64:164], cs.name, bytes))
		}
		trips = append(trips, c)
	}
	return trips
}

// A key in any character set finds its row, alone and as a part of a row constructor.
func TestServerKeysInEachCharset(t *testing.T) {
	l := newLab(t, "FULL")
	for _, cs := range charsets {
		values := append([]string{"", ""}, trickyTexts[cs.name]...)
		if cs.name == "binary" || cs.name == "ascii" {
			continue
		}
		name := "src.k_" + cs.name
		l.Exec(t, "CREATE TABLE "+name+" (k VARCHAR(20) CHARACTER SET "+cs.name+",n INT NOT NULL,PRIMARY KEY(k,n))")
		from := l.position(t)
		for i, v := range values {
			literal := "_" + cs.name + " x'" + v + "'"
			if i == 1 {
				literal = "'plain'"
			}
			l.Exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%s,%d)", name, literal, i))
		}
		rows := l.changes(t, from)
		table := l.table(t, "src", strings.TrimPrefix(name, "src."))
		table.Identity.Weighed = false
		layout := mustBind(t, rows[0].Table, table)
		for i, r := range rows {
			match, err := layout.AppendIdentityMatch(nil, r.After)
			if err != nil {
				t.Fatal(err)
			}
			list, err := layout.AppendIdentity(nil, r.After)
			if err != nil {
				t.Fatal(err)
			}
			for _, where := range []string{string(match), layout.IdentityColumns() + " IN (" + string(list) + ")"} {
				if n := l.count(t, "SELECT COUNT(*) FROM "+name+" WHERE "+where); n != 1 {
					t.Errorf("%s, row %d: %d rows where %s", cs.name, i, n, where)
				}
			}
		}
	}
}

// Old servers stored texts that are not valid in their character set. What the target does with such bytes is its
// decision, but it never changes them without a word: it refuses them, or keeps them.
func TestServerInvalidTexts(t *testing.T) {
	l := newLab(t, "FULL")
	refused := 0
	for _, cs := range charsets {
		if cs.name == "binary" {
			continue
		}
		name := "dst.v_" + cs.name
		l.Exec(t, "CREATE TABLE "+name+" (a VARCHAR(40) CHARACTER SET "+cs.name+")")
		layout := mustBind(t, bindable(t, l, name, cs.name), l.table(t, "dst", "v_"+cs.name))
		for _, s := range []string{"ff", "ff41", "80", "81", "8127", "815c", "eda080", "f0288cbc", "c328", "a1", "d800", "dc00d800", "0041d8", "00110000", "ffffffff", "8130", "813081", "8f", "8fa1", "8ea1a1"} {
			raw, _ := hex.DecodeString(s)
			tuple, err := layout.AppendTuple(nil, image(short(string(raw))))
			if err != nil { // Refused by name before it is sent.
				if len(raw)%cs.unit == 0 {
					t.Error(cs.name, s, err)
				}
				refused++
				continue
			}
			l.exec(t, "DELETE FROM "+name)
			if _, err := l.session.ExecContext(t.Context(), "INSERT INTO "+name+" VALUES "+string(tuple)); err != nil {
				refused++
				continue
			}
			if n := l.count(t, "SELECT COUNT(*) FROM "+name+" WHERE HEX(a)=UPPER('"+s+"')"); n != 1 {
				t.Errorf("%s %s was changed by %s", cs.name, s, tuple)
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d texts refused", refused)
	}
}

// A row whose ENUM holds index 0, the mark of an invalid value, is found and told apart from the member ”. A
// strict session refuses to write it; one that is not takes what is written here.
func TestServerEnumZero(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, "CREATE TABLE src.e (e ENUM('x','','1'),n INT)")
	from := l.position(t)
	l.Exec(t, "INSERT IGNORE INTO src.e VALUES (0,1)", "INSERT INTO src.e VALUES ('',1),('x',1)")
	rows := l.changes(t, from)
	layout := mustBind(t, rows[0].Table, l.table(t, "src", "e"))
	for i, r := range rows {
		match, err := layout.AppendMatch(nil, r.After)
		if err != nil {
			t.Fatal(err)
		}
		if n := l.count(t, "SELECT COUNT(*) FROM src.e WHERE "+string(match)); n != 1 {
			t.Errorf("row %d: %d rows where %s", i, n, match)
		}
	}
	set, changed, err := layout.AppendSet(nil, rows[0].After, rows[1].After)
	if err != nil || !changed || string(set) != "`e`=2" {
		t.Errorf("out of index 0: %s, %v, %v", set, changed, err)
	}
	for i, want := range []bool{true, false, false} {
		if zero, err := layout.HasEnumZero(rows[i].After, nil); err != nil || zero != want {
			t.Errorf("row %d has index 0: %v, %v", i, zero, err)
		}
	}
	tuple, err := layout.AppendTuple(nil, rows[0].After)
	if err != nil {
		t.Fatal(err)
	}
	values := "INTO src.e (" + layout.InsertColumns() + ") VALUES " + string(tuple)
	if _, err := l.session.ExecContext(t.Context(), "INSERT "+values); err == nil {
		t.Error("a strict session has taken index 0")
	}
	l.exec(t, "INSERT /*+ SET_VAR(sql_mode='ALLOW_INVALID_DATES') */ "+values)
	if n := l.count(t, "SELECT COUNT(*) FROM src.e WHERE e+0=0 AND n=1"); n != 2 {
		t.Errorf("%d rows with index 0", n)
	}
}

// bindable is the TABLE_MAP that a server writes for a table of one text column.
func bindable(t *testing.T, l *lab, name, charset string) *change.TableMap {
	t.Helper()
	from := l.position(t)
	l.Exec(t, "INSERT INTO "+name+" VALUES (_"+charset+" x'')")
	return l.changes(t, from)[0].Table
}

// Keys over temporal values in the old formats sort as the values do, and differ where the values differ.
func TestOldTemporalKeys(t *testing.T) {
	for typ, c := range map[byte]struct {
		dataType string
		rising   []string
	}{
		typeTime:      {"time", []string{"590a80", "c01dfe", "ffffff", "000000", "010000", "40e201"}},
		typeDatetime:  {"datetime", []string{"0000000000000000", "407fde4e2e120000", "80c5aa8b68120000"}},
		typeTimestamp: {"timestamp", []string{"00000000", "01000000", "00010000", "ffffff7f"}},
	} {
		m, table := tableOf(wireColumn{typ, 0, schema.Column{Name: "a", DataType: c.dataType}})
		table.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, NotNull: true, Parts: []schema.KeyPart{{Column: 0}}}
		layout := mustBind(t, m, table)
		var last []byte
		for i, s := range c.rising {
			raw, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			key, null, err := layout.AppendKey(nil, image(raw), table.Identity)
			if err != nil || null || i > 0 && bytes.Compare(last, key) >= 0 {
				t.Errorf("%s %s: key %x after %x, %v", c.dataType, s, key, last, err)
			}
			last = key
		}
	}
}
