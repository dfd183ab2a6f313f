package rowimage

import (
	"strings"
	"testing"
)

// siblings are rows that the server takes for equal, or prints alike, although their bytes differ. In a keyless table
// each must be found by its own predicate alone, or the wrong one of two rows is changed without a word.
var siblings = []roundTrip{
	{"JSON numbers", "", "a JSON", []string{
		"CAST(1 AS JSON)", "CAST(CAST(1 AS UNSIGNED) AS JSON)", "CAST(CAST(1 AS DECIMAL(5,0)) AS JSON)", "CAST(1.0 AS JSON)", "CAST(1.00 AS JSON)", "CAST(1e0 AS JSON)",
		"CAST(0 AS JSON)", "CAST(CAST(0 AS UNSIGNED) AS JSON)", "CAST(0e0 AS JSON)", "CAST(-0e0 AS JSON)", "CAST(0.0 AS JSON)", "CAST(-1 AS JSON)", "CAST(-1.0 AS JSON)", "CAST(-1e0 AS JSON)",
		"CAST(18446744073709551615 AS JSON)", "CAST(CAST(18446744073709551615 AS DECIMAL(20,0)) AS JSON)", "CAST('\"1\"' AS JSON)", "CAST('true' AS JSON)", "CAST('\"1.0\"' AS JSON)",
	}},
	{"JSON numbers within documents", "", "a JSON", []string{
		"JSON_OBJECT('a',1,'b',JSON_ARRAY(1.0,1e0))", "JSON_OBJECT('a',CAST(1 AS UNSIGNED),'b',JSON_ARRAY(1.0,1e0))", "JSON_OBJECT('a',1,'b',JSON_ARRAY(1e0,1.0))", "JSON_OBJECT('a',1,'b',JSON_ARRAY(1e0,1e0))",
		"JSON_OBJECT('',1.5,'it''s \"x\" \\\\ .[0]',JSON_OBJECT('é\\n',2.5))", "JSON_OBJECT('',1.5,'it''s \"x\" \\\\ .[0]',JSON_OBJECT('é\\n',2.5e0))", "JSON_OBJECT('',1.5e0,'it''s \"x\" \\\\ .[0]',JSON_OBJECT('é\\n',2.5))",
		"JSON_OBJECT(REPEAT('k',65535),1.5)", "JSON_OBJECT(REPEAT('k',65535),1.5e0)",
	}},
	{"JSON with many numbers", "", "a JSON", []string{
		"CONCAT('[',REPEAT('1.5,',20000),'1]')", "JSON_SET(CONCAT('[',REPEAT('1.5,',20000),'1]'),'$[20000]',1.0)", "JSON_SET(CONCAT('[',REPEAT('1.5,',20000),'1]'),'$[20000]',CAST(1 AS UNSIGNED))",
	}},
	{"JSON with many numbers and what only a subquery makes", "", "a JSON", []string{
		"(SELECT JSON_SET(CONCAT('[',REPEAT('1.5,',40),'1]'),'$[41]',t) FROM src.when_)", "(SELECT JSON_SET(CONCAT('[',REPEAT('1.5,',40),'1]'),'$[40]',1.0,'$[41]',t) FROM src.when_)",
		"(SELECT JSON_SET(CONCAT('[',REPEAT('1.5,',40),'1]'),'$[41]',d) FROM src.when_)", "(SELECT JSON_SET(CONCAT('[',REPEAT('1.5,',40),'1]'),'$[41]',h) FROM src.typed WHERE n=1)",
	}},
	{"JSON times", "", "a JSON", []string{
		"(SELECT JSON_ARRAY(d) FROM src.when_)", "(SELECT JSON_ARRAY(t) FROM src.when_)", "JSON_ARRAY('2024-02-29 12:34:56.000000')", "JSON_ARRAY(CAST('2024-02-29' AS DATE))", "JSON_ARRAY(CAST('2024-02-29' AS DATETIME))", "JSON_ARRAY('2024-02-29')",
		"JSON_ARRAY(CAST('12:34:56' AS TIME))", "JSON_ARRAY('12:34:56.000000')",
	}},
	{"JSON binary strings", "", "a JSON", []string{
		"(SELECT JSON_ARRAY(a) FROM src.typed WHERE n=2)", "(SELECT JSON_ARRAY(b) FROM src.typed WHERE n=2)", "(SELECT JSON_ARRAY(c) FROM src.typed WHERE n=2)", "(SELECT JSON_ARRAY(e) FROM src.typed WHERE n=2)",
		"(SELECT JSON_ARRAY(f) FROM src.typed WHERE n=2)", "(SELECT JSON_ARRAY(g) FROM src.typed WHERE n=2)", "(SELECT JSON_ARRAY(h) FROM src.typed WHERE n=2)", "JSON_ARRAY('')", "JSON_ARRAY('base64:type15:')", "JSON_ARRAY(0)",
	}},
	{"geometries", "", "g GEOMETRY", []string{
		"ST_GeomFromText('POINT(1 2)',0)", "ST_GeomFromText('POINT(1 2)',3857)", "ST_GeomFromText('POINT(0 0)',0)", "ST_GeomFromText('POINT(-0 0)',0)", "ST_GeomFromText('MULTIPOINT(1 2)',0)",
		"ST_GeomFromText('LINESTRING(0 0,1 1)',0)", "ST_GeomFromText('LINESTRING(1 1,0 0)',0)", "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2))',0)",
	}},
	{"vectors", "", "v VECTOR(2)", []string{"TO_VECTOR('[0,0]')", "TO_VECTOR('[-0.0,0]')", "TO_VECTOR('[0]')", "TO_VECTOR('[1e-37,0]')"}},
	{"floats", "", "a FLOAT,b DOUBLE", []string{"0,0", "-0e0,0", "0,-0e0", "-0e0,-0e0", "1e-45,0", "0,5e-324", "NULL,0", "0,NULL", "0.1,0.1", "0.1,0.10000000149011612"}},
	{"bits", "", "a BIT(1),b BIT(64),c BIT(16)", []string{"0,0,0", "1,0,0", "0,1,0", "0,9223372036854775808,0", "0,18446744073709551615,0", "0,0,0x3000", "0,0,0x3030", "NULL,0,0"}},
	{"sets and enums", "", "s SET('a','b','0','1'),e ENUM('1','2','') COLLATE utf8mb4_bin", []string{"'','1'", "'0','1'", "'a','1'", "'a,0','1'", "'1','2'", "'1',''", "NULL,''", "'',NULL"}},
	{"dates", "ALLOW_INVALID_DATES", "d DATE,t DATETIME(6),y YEAR", []string{
		"'0000-00-00','0000-00-00 00:00:00',0", "NULL,'0000-00-00 00:00:00','0000'", "'0000-00-00',NULL,'0000'", "'0000-00-00','0000-00-00 00:00:00',2000", "'2024-00-00','2024-00-00 00:00:00',NULL",
		"'2024-02-30','2024-02-30 00:00:00',2024", "'2024-03-01','2024-03-01 00:00:00',2024", "'2024-03-01','2024-03-01 00:00:00.000001',2024", "'0000-00-00','0000-00-00 00:00:00.000001',0",
	}},
	{"paddings", "", "c CHAR(4) COLLATE utf8mb4_general_ci,v VARCHAR(4) COLLATE utf8mb4_general_ci,b BINARY(4),w VARBINARY(4),t TEXT COLLATE utf8mb4_general_ci", []string{
		"'a','a','a','a','a'", "'a','a ','a','a','a'", "'a','a','a ','a','a'", "'a','a','a','a ','a'", "'a','a','a','a','a '", "'A','a','a','a','a'", "'á','a','a','a','a'", "'a','A','a','a','a'", "'a','a','A','a','a'",
		"'a','a',0x6100,0x6100,'a\\0'", "'a','a',0x61000001,0x61000000,'a'", "'','','','',''", "'',' ','','',''", "'','',0x20,'',''", "'','','',0x00,''",
	}},
}

func TestServerSiblingsAreToldApart(t *testing.T) {
	l := newLab(t, "FULL")
	l.Exec(t, typedValues...)
	l.Exec(t, "SET time_zone='+00:00'", "CREATE TABLE src.when_ (d DATETIME(6), t TIMESTAMP(6))", "INSERT INTO src.when_ VALUES ('2024-02-29 12:34:56','2024-02-29 12:34:56')")
	for _, c := range siblings {
		t.Run(c.name, func(t *testing.T) {
			name := "s_" + strings.ReplaceAll(c.name, " ", "_")
			l.Exec(t, "CREATE TABLE src."+name+" ("+c.columns+")", "CREATE TABLE dst."+name+" ("+c.columns+")", "SET sql_mode='"+c.mode+"'")
			from := l.position(t)
			for _, v := range c.values {
				l.Exec(t, "INSERT INTO src."+name+" VALUES ("+v+")")
			}
			l.Exec(t, "SET sql_mode=DEFAULT")
			rows := l.changes(t, from)
			if len(rows) != len(c.values) {
				t.Fatalf("%d rows in the log, want %d", len(rows), len(c.values))
			}
			layout := l.insertAndCompare(t, name, rows)
			for i := range rows {
				l.checkMatch(t, layout, name, rows, i)
			}
		})
	}
}
