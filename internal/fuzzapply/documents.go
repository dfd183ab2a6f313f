package fuzzapply

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// scalars are JSON values of each type that the server knows. No two are equal numbers of different types: in a keyless
// table the target cannot tell such documents apart (docs/compatibility.md).
var scalars = []string{
	"CAST('null' AS JSON)", "CAST('true' AS JSON)", "CAST('\"\"' AS JSON)", `CAST('"a\\u0000b"' AS JSON)`, "JSON_QUOTE(_utf8mb4 0xF09F9880)", `JSON_QUOTE('\\')`, `JSON_QUOTE('"')`,
	"CAST(18446744073709551615 AS JSON)", "CAST(-9223372036854775808 AS JSON)", "CAST(-1 AS JSON)", "CAST(65536 AS JSON)", "CAST(2147483648 AS JSON)",
	"CAST(CAST('1.50' AS DECIMAL(5,2)) AS JSON)", "CAST(CAST('-99999999999999999999999999999999999.999999999999999999999999999999' AS DECIMAL(65,30)) AS JSON)",
	"CAST(1.7976931348623157e308 AS JSON)", "CAST(5e-324 AS JSON)", "CAST(0.1e0 AS JSON)", "CAST(-0e0 AS JSON)",
	"CAST(DATE'2024-02-29' AS JSON)", "CAST(TIME'-838:59:58.999999' AS JSON)", "CAST(TIMESTAMP'2024-02-29 23:59:59.000001' AS JSON)",
	"CAST(0x00FF5C27 AS JSON)", "CAST(b'101' AS JSON)", "CAST(CAST('x' AS BINARY(3)) AS JSON)", "CAST(ST_GeomFromText('POINT(1 2)') AS JSON)",
	"CAST('{}' AS JSON)", "CAST('[]' AS JSON)", `CAST('{"": [1, {"a": [null, false]}], "ab": "x"}' AS JSON)`, "JSON_QUOTE(REPEAT('x', 200))",
}

// document is JSON.
func document(t *rapid.T) value {
	scalar := rapid.SampledFrom(scalars)
	v := value{sql: "JSON", kind: logical}
	for range rapid.IntRange(2, 5).Draw(t, "values") {
		switch rapid.IntRange(0, 2).Draw(t, "shape") {
		case 0:
			v.pool = append(v.pool, scalar.Draw(t, "scalar"))
		case 1:
			v.pool = append(v.pool, "JSON_ARRAY("+strings.Join(rapid.SliceOfN(scalar, 0, 4).Draw(t, "elements"), ", ")+")")
		case 2:
			var members []string
			for _, name := range []string{"'a'", "'b'", "'long name'", "''"}[:rapid.IntRange(1, 4).Draw(t, "members")] {
				members = append(members, name+", "+scalar.Draw(t, "member"))
			}
			v.pool = append(v.pool, "JSON_OBJECT("+strings.Join(members, ", ")+")")
		}
	}
	return v
}

// edit changes a document in place, as far as it has the path; twice at times, which PARTIAL_JSON logs as two differences.
func edit(t *rapid.T, column string) string {
	expr := column
	for range rapid.IntRange(1, 2).Draw(t, "edits") {
		path := rapid.SampledFrom([]string{"$.a", "$.b", "$[0]", "$[1]", "$.a[1]", "$.b[last]", "$.\"long name\"", "$.\"\"", "$"}).Draw(t, "path")
		scalar := rapid.SampledFrom(scalars).Draw(t, "scalar")
		forms := []string{"JSON_SET(%s, '%s', %s)", "JSON_SET(%s, '%s', %s)", "JSON_REPLACE(%s, '%s', %s)", "JSON_INSERT(%s, '%s', %s)", "JSON_ARRAY_APPEND(%s, '%s', %s)"}
		if path != "$" {
			forms = append(forms, "JSON_REMOVE(%s, '%s')")
		}
		if strings.HasSuffix(path, "]") {
			forms = append(forms, "JSON_ARRAY_INSERT(%s, '%s', %s)")
		}
		form := rapid.SampledFrom(forms).Draw(t, "edit")
		expr = fmt.Sprintf(form, []any{expr, path, scalar}[:strings.Count(form, "%s")]...)
	}
	return expr
}

// geometry is a spatial type, with or without an SRID of its own.
func geometry(t *rapid.T) value {
	shapes := map[string][]string{
		"POINT":              {"POINT(1 2)", "POINT(-0 0)", "POINT(1.7e3 -5e-324)"},
		"LINESTRING":         {"LINESTRING(0 0,1 1)", "LINESTRING(0 0,1 1,2 0.1)"},
		"POLYGON":            {"POLYGON((0 0,4 0,4 4,0 4,0 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))"},
		"MULTIPOINT":         {"MULTIPOINT(1 2,3 4)"},
		"MULTILINESTRING":    {"MULTILINESTRING((0 0,1 1),(2 2,3 3))"},
		"MULTIPOLYGON":       {"MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)))"},
		"GEOMETRYCOLLECTION": {"GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))", "GEOMETRYCOLLECTION EMPTY"},
	}
	kinds := []string{"POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"}
	name := rapid.SampledFrom(kinds).Draw(t, "shape")
	v := value{sql: name, kind: opaque}
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		v.sql = "GEOMETRY"
	}
	srid := rapid.SampledFrom([]string{"0", "4326", "3857"}).Draw(t, "srid")
	if rapid.Bool().Draw(t, "fixed") {
		v.sql += " SRID " + srid
	}
	for _, shape := range shapes[name] {
		v.pool = append(v.pool, fmt.Sprintf("ST_GeomFromText('%s', %s)", shape, srid))
	}
	v.pool = append(v.pool, fmt.Sprintf("ST_GeomFromText('%s', %s)", shapes[name][0], srid))
	return v
}

func vector(t *rapid.T) value {
	return value{sql: "VECTOR(3)", kind: opaque, pool: some(t, []string{"STRING_TO_VECTOR('[1,2,3]')", "STRING_TO_VECTOR('[0,-0.1,3e38]')", "0x0000807F0000000000000080", "STRING_TO_VECTOR('[5]')"})}
}
