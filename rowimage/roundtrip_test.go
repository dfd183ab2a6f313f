package rowimage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"

	"github.com/google/go-cmp/cmp"
)

// roundTrip is a table and values of it that a source can hold. The columns are created in both schemas.
type roundTrip struct {
	name    string
	mode    string // sql_mode of the source's session.
	columns string
	values  []string // Inside of VALUES(…).
}

var roundTrips = []roundTrip{
	{"signed integers with extremes", "", "a TINYINT,b SMALLINT,c MEDIUMINT,d INT,e BIGINT", []string{
		"-128,-32768,-8388608,-2147483648,-9223372036854775808", "127,32767,8388607,2147483647,9223372036854775807",
		"0,0,0,0,0", "-1,-1,-1,-1,-1", "NULL,NULL,NULL,NULL,NULL", "1,NULL,2,NULL,3",
	}},
	{"unsigned integers with extremes", "", "a TINYINT UNSIGNED,b SMALLINT UNSIGNED,c MEDIUMINT UNSIGNED,d INT UNSIGNED,e BIGINT UNSIGNED", []string{
		"255,65535,16777215,4294967295,18446744073709551615", "128,32768,8388608,2147483648,9223372036854775808", "0,0,0,0,0",
	}},
	{"decimals of many sizes", "", "a DECIMAL(65,30),b DECIMAL(1,0),c DECIMAL(5,5),d DECIMAL(18,9),e DECIMAL(10,2) UNSIGNED,f DECIMAL(65,0)", []string{
		"12345678901234567890123456789012345.123456789012345678901234567890,9,0.12345,123456789.987654321,12345678.90,99999999999999999999999999999999999999999999999999999999999999999",
		"-0.000000000000000000000000000001,-9,-0.99999,-0.000000001,0.01,-10000000000000000000000000000000000000000",
		"0,0,0,0,0,0", "-1,-1,-0.1,-1000000000,1,-1", "10,1,0.00001,999999999.999999999,0.10,1000000000", "-0.0,-0.0,-0.0,-0.0,0,-0",
	}},
	{"floats with extremes and both zeros", "", "a FLOAT,b DOUBLE,c FLOAT(7,4),d DOUBLE(10,3)", []string{
		"0.1,0.1,1.2345,1.001", "3.4028234663852886e38,1.7976931348623157e308,-999.9999,9999999.999", "1.1754943508222875e-38,2.2250738585072014e-308,0.0001,0.001",
		"1e-45,5e-324,0,0", "0,0,0,0", "-0e0,-0e0,-0e0,-0e0", "16777217,9007199254740993,100,1", "-123456.789,-1234567890.123456789,12.5,-0.5",
		"1e10,1e100,1,1", "0.30000001,0.30000000000000004,0.3,0.3",
	}},
	{"bits", "", "a BIT(1),b BIT(8),c BIT(9),d BIT(33),e BIT(64)", []string{
		"0,0,0,0,0", "1,255,511,8589934591,18446744073709551615", "b'1',b'10000000',b'100000001',b'1',9223372036854775808", "NULL,1,NULL,2,NULL",
	}},
	{"dates, also zero and invalid ones", "ALLOW_INVALID_DATES", "a DATE,b DATETIME,c DATETIME(6),d DATETIME(1),e YEAR", []string{
		"'2024-02-29','2024-02-29 23:59:59','2024-02-29 23:59:59.999999','2024-02-29 12:00:00.5',2024",
		"'0000-00-00','0000-00-00 00:00:00','0000-00-00 00:00:00.000000','0000-00-00 00:00:00.0','0000'",
		"'9999-12-31','9999-12-31 23:59:59','9999-12-31 23:59:59.999999','9999-12-31 23:59:59.9',2155",
		"'1000-01-01','1000-01-01 00:00:00','1000-01-01 00:00:00.000001','1000-01-01 00:00:00.1',1901",
		"'2024-02-31','2024-02-31 10:11:12','2024-06-31 10:11:12.123456','2024-11-31 10:11:12.1',1970",
		"'2024-00-00','2024-01-00 00:00:00','2024-00-00 01:02:03.000100','0000-01-01 00:00:00.9',2069",
	}},
	{"times", "", "a TIME,b TIME(1),c TIME(2),d TIME(3),e TIME(4),f TIME(5),g TIME(6)", []string{
		"'838:59:59','838:59:59.0','838:59:59.00','838:59:59','838:59:59','838:59:59','838:59:59.000000'",
		"'-838:59:59','-838:59:59','-838:59:59','-838:59:59','-838:59:59','-838:59:59','-838:59:59'",
		"'-00:00:01','-00:00:00.1','-00:00:00.01','-00:00:00.001','-00:00:00.0001','-00:00:00.00001','-00:00:00.000001'",
		"'00:00:00','00:00:00','00:00:00','00:00:00','00:00:00','00:00:00','00:00:00'",
		"'-12:34:56','-12:34:56.7','-12:34:56.78','-12:34:56.789','-12:34:56.7891','-12:34:56.78912','-12:34:56.789123'",
		"'12:34:56','12:34:56.7','12:34:56.78','12:34:56.789','12:34:56.7891','12:34:56.78912','12:34:56.789123'",
		"'-00:00:59','-00:00:59.9','-00:00:59.99','-00:00:59.999','-00:00:59.9999','-00:00:59.99999','-00:00:59.999999'",
	}},
	{"timestamps", "", "a TIMESTAMP NULL,b TIMESTAMP(3) NULL,c TIMESTAMP(6) NULL", []string{
		"'2038-01-19 03:14:07','2038-01-19 03:14:07.999','2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01','1970-01-01 00:00:01.001','1970-01-01 00:00:01.000001'",
		"'0000-00-00 00:00:00','0000-00-00 00:00:00','0000-00-00 00:00:00'", "'2024-02-29 12:00:00','2000-02-29 23:59:59.5','2001-03-01 00:00:00.000100'",
		"NULL,NULL,NULL", "'2100-01-01 00:00:00','1999-12-31 23:59:59','2024-12-31 23:59:59'",
	}},
	{"texts of four character sets", "", "a VARCHAR(20),b CHAR(10),c TEXT,d VARCHAR(20) CHARACTER SET latin1,e CHAR(10) CHARACTER SET utf8mb3,f VARCHAR(300) CHARACTER SET ascii,g TINYTEXT,h LONGTEXT CHARACTER SET latin1", []string{
		"'','','','','','','',''", "'a ','b ','c ','d ','e ','f ','g ','h '", "'😀é','ÀÉ😀','日本語','é€ß','日本','plain','x','ÿ'",
		`'\0\n\r\Z\'\"\\%_','\'','\\','\\\'','\0\0','\Z','--','/* */'`, "NULL,NULL,NULL,_latin1 0x818D8F909D,NULL,REPEAT('y',300),REPEAT('z',255),REPEAT(_latin1 0x5CE95C,500)",
		"'a','A','á',_latin1 0x00275C22,'ａ','a','ä','AE'", "'A','a','a',_latin1 0x00275C23,'a','A','a','ae'", "REPEAT('é',20),REPEAT('😀',10),REPEAT('x',70),REPEAT('é',20),REPEAT('日',10),'','',''",
	}},
	{"wide CHAR, whose length is folded into its type", "", "a CHAR(255),b CHAR(255) CHARACTER SET utf8mb3,c VARCHAR(64),d VARCHAR(63),e CHAR(64) CHARACTER SET latin1", []string{
		"REPEAT('😀',255),REPEAT('日',255),REPEAT('😀',64),REPEAT('😀',63),REPEAT('é',64)", "'','','','',''", "'x','y','z','1','2'",
	}},
	{"binary strings", "", "a BINARY(4),b VARBINARY(10),c BLOB,d BINARY(255),e TINYBLOB,f MEDIUMBLOB,g LONGBLOB", []string{
		"0x61620000,0x61620000,0x00,0x00,0x00,0x00,0x00", "'','','','','','',''", "0xFFFFFFFF,0xFF00FF,REPEAT(0x27,1000),0x01,0x5C,0x22,REPEAT(0x1A,70000)",
		"NULL,NULL,NULL,NULL,NULL,NULL,NULL", "'ab','ab','ab','ab','ab','ab','ab'", "0x00000001,0x2020,0x20,REPEAT(0xC3,255),0xC328,0xE282,0xF0288CBC",
	}},
	{"enums and sets", "", "a ENUM('x','','1','it''s, ok'),b SET('a','b','c'),c SET(" + setMembers(64) + "),d ENUM(" + setMembers(300) + "),e SET(" + setMembers(9) + ")", []string{
		"'x','','','m1',''", "'','a,c','m1,m64','m300','m9'", "'1','a,b,c'," + "18446744073709551615" + ",'m256','m1,m9'", "'it''s, ok','b',9223372036854775808,'m255','m8'", "NULL,NULL,NULL,NULL,NULL",
	}},
	{"JSON that text can express", "", "a JSON,b INT", []string{
		"'null',1", "NULL,2", "'true',3", "'[]',4", "'{}',5", "'0',6", "'-1',7", "'32767',8", "'32768',8", "'-32769',8", "'2147483647',9", "'2147483648',10", "'9223372036854775807',11", "'-9223372036854775808',12", "'18446744073709551615',13",
		"'1.0',14", "'-0.0',15", "'1e-7',16", "'1e308',17", "'5e-324',18", "'0.1',19", "'0.30000000000000004',20", "'123456789.123456789',21", "'2.2250738585072014e-308',22", "'1.7976931348623157e308',23",
		`'"it\'s \\"quoted\\" \\\\ back\\nslash \\u0001 \\u2028 < é 😀"',24`, `'{"b":1,"a":[1,2,{"c":null}],"":"empty","é":"日本"}',25`, `'[1,[2,[3,[4,[5,[]]]]],{"x":{"y":{"z":[true,false,null]}}}]',26`,
		`CONCAT('["',REPEAT('long ',20000),'"]'),27`, `CONCAT('[',REPEAT('123456,',20000),'1]'),28`, `CONCAT(REPEAT('[',100),REPEAT(']',100)),29`, `CONCAT('{"',REPEAT('k',65535),'":1}'),30`, "'\"\"',31", "'[1, 1.0, \"1\", true]',32",
		"'[1.0, 1.0]',33", "'0',34", "'[1, 1.0]',33", "'0',35", "'[1, 1]',33",
	}},
	{"JSON that needs an expression", "", "a JSON,b INT", []string{
		"CAST(CAST(5 AS UNSIGNED) AS JSON),1", "JSON_OBJECT('u',CAST(70000 AS UNSIGNED),'s','it\\'s','n',NULL,'t',true,'d',1e0,'i',-9223372036854775808,'a',JSON_ARRAY()),2",
		"JSON_OBJECT('d',CAST(1.50 AS DECIMAL(5,2))),3", "JSON_ARRAY(CAST(-123456789012345678901234567890.5 AS DECIMAL(65,30)),CAST(0 AS DECIMAL(3,2)),0.5,.05),4",
		"JSON_ARRAY(CAST('2024-02-29' AS DATE),CAST('-838:59:59' AS TIME),CAST('-00:00:00.000001' AS TIME(6)),CAST('2024-02-29 12:34:56.123456' AS DATETIME(6)),CAST('9999-12-31 23:59:59' AS DATETIME)),5",
		"CAST(CAST('2024-02-29' AS DATE) AS JSON),6", "CAST(1.5 AS JSON),7", "JSON_ARRAY(CAST(5000000000 AS UNSIGNED),18446744073709551615,1e-7,-0e0,'\\\\',JSON_OBJECT()),8",
	}},
	{"JSON doubles, a thousand at random", "", "a JSON", []string{jsonDoubles(rand.New(rand.NewPCG(1, 2)))}},
	{"many columns with NULLs between", "", manyColumns(20), []string{
		strings.TrimSuffix(strings.Repeat("NULL,7,", 10), ","), strings.TrimSuffix(strings.Repeat("7,NULL,", 10), ","), strings.TrimSuffix(strings.Repeat("NULL,NULL,", 10), ","),
	}},
	{"generated, invisible and quoted columns", "", "a INT,`b``c.d` INT INVISIBLE,v INT GENERATED ALWAYS AS (a+1) VIRTUAL,s VARCHAR(20) GENERATED ALWAYS AS (CONCAT(a,'x')) STORED,z INT", []string{
		"1,DEFAULT,DEFAULT,2", "NULL,DEFAULT,DEFAULT,NULL",
	}},
}

// jsonDoubles builds an array of doubles: half of them any bits, half of them with few digits.
func jsonDoubles(r *rand.Rand) string {
	var b strings.Builder
	for n := 0; n < 1000; n++ {
		f := math.Float64frombits(r.Uint64())
		if n%2 == 0 {
			f = float64(r.IntN(1e9)) * math.Pow10(r.IntN(40)-20)
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		fmt.Fprintf(&b, ",%se0", strconv.FormatFloat(f, 'f', -1, 64))
	}
	return "JSON_ARRAY(" + b.String()[1:] + ")"
}

func setMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",'m%d'", i+1)
	}
	return b.String()[1:]
}

func manyColumns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",c%d INT", i+1)
	}
	return b.String()[1:]
}

// Each value that a real source holds comes back, bit for bit, through the statements that a Layout writes: the
// target's own binary log has the same images.
func TestServerRoundTrip(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	for n, c := range slices.Concat(roundTrips, typeTrips, charsetTrips()) {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("t%d", n)
			l.applyAndCompare(t, name, l.written(t, name, c))
		})
	}
}

// written makes the table in both schemas, lets the source write its values, and gives their rows in the log.
func (l *lab) written(t *testing.T, name string, c roundTrip) []change.Row {
	t.Helper()
	from := l.position(t)
	columns := ""
	if strings.Contains(c.columns, "INVISIBLE") {
		columns = "(a,v,s,z)"
	}
	statements := []string{"SET NAMES utf8mb4", "SET time_zone='+00:00'", "SET sql_mode='" + c.mode + "'"}
	for _, db := range []string{"src", "dst"} {
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s.%s (%s) CHARACTER SET utf8mb4", db, name, c.columns))
	}
	for _, v := range c.values {
		statements = append(statements, fmt.Sprintf("INSERT INTO src.%s%s VALUES (%s)", name, columns, v))
	}
	l.Exec(t, append(statements, "SET sql_mode=DEFAULT")...)
	rows := l.changes(t, from)
	if len(rows) != len(c.values) {
		t.Fatalf("%d rows in the log, want %d", len(rows), len(c.values))
	}
	return rows
}

// applyAndCompare writes rows to the target in three ways and looks at the images that the target logs.
func (l *lab) applyAndCompare(t *testing.T, name string, rows []change.Row) {
	layout := l.insertAndCompare(t, name, rows)
	for i, r := range rows {
		l.checkMatch(t, layout, name, rows, i)
		// Turn the row into its neighbour and back.
		next := rows[(i+1)%len(rows)]
		l.update(t, layout, name, r.After, next.After)
		l.update(t, layout, name, next.After, r.After)
	}
}

// insertAndCompare writes rows to the target as inserts and looks at the images that the target logs.
func (l *lab) insertAndCompare(t *testing.T, name string, rows []change.Row) *Layout {
	t.Helper()
	layout, err := Bind(rows[0].Table, l.table(t, "dst", name))
	if err != nil {
		t.Fatal(err)
	}
	from := l.position(t)
	for _, r := range rows {
		tuple, err := layout.AppendTuple(nil, r.After)
		if err != nil {
			t.Fatal(err)
		}
		l.exec(t, "INSERT INTO dst."+name+" ("+layout.InsertColumns()+") VALUES "+string(tuple))
	}
	logged := l.changes(t, from)
	if len(logged) != len(rows) {
		t.Fatalf("%d rows logged by the target, want %d", len(logged), len(rows))
	}
	for i := range rows {
		if diff := cmp.Diff(rows[i].After, logged[i].After); diff != "" {
			tuple, _ := layout.AppendTuple(nil, rows[i].After)
			t.Errorf("row %d, written as %.200s: image differs (-source +target):\n%s", i, tuple, diff)
		}
	}
	return layout
}

// checkMatch: the predicate of row i finds as many rows as have exactly its image.
func (l *lab) checkMatch(t *testing.T, layout *Layout, name string, rows []change.Row, i int) {
	t.Helper()
	same := 0
	for _, r := range rows {
		if string(r.After) == string(rows[i].After) {
			same++
		}
	}
	match, err := layout.AppendMatch(nil, rows[i].After)
	if err != nil {
		t.Fatal(err)
	}
	if n := l.count(t, "SELECT COUNT(*) FROM dst."+name+" WHERE "+string(match)); n != same {
		t.Errorf("row %d: %d rows match %.300s, want %d", i, n, match, same)
	}
}

// update changes one row that matches before, and reads the image that the target logs for it.
func (l *lab) update(t *testing.T, layout *Layout, name string, before, after []byte) {
	t.Helper()
	set, changed, err := layout.AppendSet(nil, before, after)
	if err != nil {
		t.Fatal(err)
	}
	if changed != (string(before) != string(after)) {
		t.Fatalf("changed is %v", changed)
	}
	if !changed {
		return
	}
	match, err := layout.AppendMatch(nil, before)
	if err != nil {
		t.Fatal(err)
	}
	from := l.position(t)
	l.exec(t, "UPDATE dst."+name+" SET "+string(set)+" WHERE "+string(match)+" LIMIT 1")
	logged := l.changes(t, from)
	if len(logged) != 1 || string(logged[0].After) != string(after) {
		t.Errorf("UPDATE SET %.300s WHERE %.300s: %d rows logged, or not the image wanted", set, match, len(logged))
	}
}
