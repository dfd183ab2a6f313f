package rowimage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// fixedTypes are the types that must be the same on both sides: the target's DATA_TYPE, its wire type and its kind.
var fixedTypes = map[string]struct {
	wire byte
	kind kind
}{
	"tinyint": {typeTiny, kindInt}, "smallint": {typeShort, kindInt}, "mediumint": {typeInt24, kindInt},
	"int": {typeLong, kindInt}, "bigint": {typeLonglong, kindInt},
	"float": {typeFloat, kindFloat}, "double": {typeDouble, kindDouble},
	"year": {typeYear, kindYear}, "date": {typeDate, kindDate},
	"time": {typeTime2, kindTime}, "datetime": {typeDatetime2, kindDatetime}, "timestamp": {typeTimestamp2, kindTimestamp},
	"decimal": {typeNewDecimal, kindDecimal}, "bit": {typeBit, kindBit}, "json": {typeJSON, kindJSON},
}

// blobBytes is how many bytes of length each BLOB and TEXT type has.
var blobBytes = map[string]uint16{
	"tinyblob": 1, "blob": 2, "mediumblob": 3, "longblob": 4,
	"tinytext": 1, "text": 2, "mediumtext": 3, "longtext": 4,
}

// oldTemporals are the temporal types from before MySQL 5.6.4, which tables keep until they are rebuilt; the target's
// type of the same name holds the same values. They have no fraction.
var oldTemporals = map[byte]struct {
	dataType string
	kind     kind
}{
	typeTime: {"time", kindOldTime}, typeDatetime: {"datetime", kindOldDatetime}, typeTimestamp: {"timestamp", kindOldTimestamp},
}

// OldTemporal reports a column in the format from before MySQL 5.6.4. In MariaDB's logs such a column may have a fraction,
// which makes its values longer or shorter without the log's telling (MariaDB 5.3; mysql56_temporal_format=OFF).
func OldTemporal(m *change.TableMap) bool {
	return slices.ContainsFunc(m.Types, func(typ byte) bool { _, old := oldTemporals[typ]; return old })
}

// isGeometry reports whether a DATA_TYPE is spatial. Which one it is, and which SRID it may have, the target checks:
// the log names neither.
func isGeometry(dataType string) bool {
	switch dataType {
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geomcollection", "geometrycollection":
		return true
	}
	return false
}

// kindOf tells how a column of the target reads a wire type; fits is false when it cannot.
func kindOf(typ byte, meta uint16, c *schema.Column) (k kind, fits bool) {
	if old, ok := oldTemporals[typ]; ok {
		return old.kind, old.dataType == c.DataType && c.FSP == 0
	}
	if f, ok := fixedTypes[c.DataType]; ok {
		return f.kind, typ == f.wire && sameSize(typ, meta, c)
	}
	if size, ok := blobBytes[c.DataType]; ok {
		if strings.HasSuffix(c.DataType, "blob") {
			return kindBytes, typ == typeBlob && meta <= size
		}
		return kindText, typ == typeBlob && meta <= size
	}
	if isGeometry(c.DataType) {
		return kindGeometry, typ == typeGeometry
	}
	varchar := (typ == typeVarchar || typ == typeVarString) && int64(meta) <= c.MaxBytes
	real, length := realString(meta)
	fixed := typ == typeString && real == typeString && int64(length) <= c.MaxBytes
	switch c.DataType {
	case "vector":
		return kindVector, typ == typeVector
	case "varchar":
		return kindText, varchar
	case "varbinary":
		return kindBytes, varchar
	case "char":
		return kindText, fixed
	case "binary":
		return kindBinary, fixed && int64(length) == c.MaxBytes
	case "enum":
		return kindEnum, typ == typeString && real == typeEnum && length == enumBytes(len(members(c.ColumnType)))
	case "set":
		return kindSet, typ == typeString && real == typeSet && length == setBytes(len(members(c.ColumnType)))
	}
	return kindUnknown, false
}

// sameSize compares the parameters of types that must be the same on both sides.
func sameSize(typ byte, meta uint16, c *schema.Column) bool {
	switch typ {
	case typeNewDecimal:
		return int(meta>>8) == c.Precision && int(meta&0xff) == c.Scale
	case typeBit:
		return bitCount(meta) == c.Precision
	case typeTime2, typeDatetime2, typeTimestamp2:
		return int(meta) == c.FSP
	}
	return true
}

// members takes the members of an ENUM or SET out of its COLUMN_TYPE: enum('a','it”s'). They come without their
// quotes and still escaped, ready for a quoted string (append_unescaped: quotes are doubled, backslashes too).
func members(columnType string) []string {
	var all []string
	for i := 0; i < len(columnType); i++ {
		if columnType[i] != '\'' {
			continue
		}
		start := i + 1
		for i++; i < len(columnType); i++ {
			if columnType[i] != '\'' {
				continue
			}
			if i+1 == len(columnType) || columnType[i+1] != '\'' {
				break
			}
			i++ // A doubled quote stands for itself.
		}
		all = append(all, columnType[start:i])
	}
	return all
}

// enumBytes is the width of an ENUM with n members (get_enum_pack_length).
func enumBytes(n int) int {
	if n < 256 {
		return 1
	}
	return 2
}

// setBytes is the width of a SET with n members (get_set_pack_length).
func setBytes(n int) int {
	if size := (n + 7) / 8; size <= 4 {
		return size
	}
	return 8
}

// notCarried names a type that can be measured but not carried over; "" for the others.
func notCarried(typ byte) string {
	switch typ {
	case typeDecimal:
		return "DECIMAL in the format before MySQL 5.0"
	case typeNull:
		return "a column of type NULL"
	}
	return ""
}

// describe names a wire type for people.
func describe(typ byte, meta uint16) string {
	switch typ {
	case typeString:
		real, length := realString(meta)
		switch real {
		case typeEnum:
			return fmt.Sprintf("ENUM of %d bytes", length)
		case typeSet:
			return fmt.Sprintf("SET of %d bytes", length)
		}
		return fmt.Sprintf("CHAR or BINARY of %d bytes", length)
	case typeVarchar, typeVarString:
		return fmt.Sprintf("VARCHAR or VARBINARY of %d bytes", meta)
	case typeBlob:
		return fmt.Sprintf("BLOB or TEXT with a length of %d bytes", meta)
	case typeNewDecimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", meta>>8, meta&0xff)
	case typeBit:
		return fmt.Sprintf("BIT(%d)", bitCount(meta))
	case typeVarcharCompressed:
		return fmt.Sprintf("VARCHAR or VARBINARY of %d bytes, COMPRESSED", int(meta)-1)
	case typeBlobCompressed:
		return fmt.Sprintf("BLOB or TEXT with a length of %d bytes, COMPRESSED", meta)
	case typeGeometry:
		return "GEOMETRY"
	case typeVector:
		return "VECTOR"
	}
	if old, ok := oldTemporals[typ]; ok {
		return strings.ToUpper(old.dataType) + " in the format before MySQL 5.6.4"
	}
	for _, name := range []string{"tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "year", "date", "json"} {
		if fixedTypes[name].wire == typ {
			return strings.ToUpper(name)
		}
	}
	for _, name := range []string{"time", "datetime", "timestamp"} {
		if fixedTypes[name].wire == typ {
			return fmt.Sprintf("%s(%d)", strings.ToUpper(name), meta)
		}
	}
	return fmt.Sprintf("of wire type %d", typ)
}
