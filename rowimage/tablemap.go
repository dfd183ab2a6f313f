package rowimage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/binseal/binseal/change"
)

// Types of optional metadata fields (rows_event.h, Optional_metadata_field_type) that are read here.
const (
	metaSignedness      = 1
	metaDefaultCharset  = 2
	metaColumnCharset   = 3
	metaColumnName      = 4
	metaSetMembers      = 5
	metaEnumMembers     = 6
	metaPrimaryKey      = 8
	metaPrimaryPrefix   = 9
	metaEnumDefCharset  = 10
	metaEnumColsCharset = 11
)

// ParseTableMap reads a TABLE_MAP event. body is the event behind its 19-byte common header, without the checksum.
// The result holds no reference to body. A source of MariaDB writes it otherwise: see ParseMariaDBTableMap.
//
// Layout (rows_event.h, Table_map_event), lengths little-endian: table id 6, flags 2, schema (length 1, name, 0),
// table (length 1, name, 0), column count (packed), a type per column, metadata (packed length, bytes), a bitmap of
// nullable columns, and optional metadata fields (type 1, length packed, value).
//
// TableMap.Meta per type, as go-mysql lays it out too:
//
//	STRING                          real type << 8 | length in bytes; bits 8 and 9 of the length are folded into the type
//	STRING, real type ENUM or SET   real type << 8 | bytes per value
//	VARCHAR, VAR_STRING             length in bytes; with COMPRESSED one more, for the byte before the value
//	BIT                             whole bytes << 8 | left-over bits
//	NEWDECIMAL                      precision << 8 | scale
//	BLOB, JSON, GEOMETRY, VECTOR    bytes of the length before each value, 1 to 4
//	FLOAT, DOUBLE                   bytes per value
//	TIME2, DATETIME2, TIMESTAMP2    digits of the fraction, 0 to 6
//	others                          0
func ParseTableMap(body []byte) (id uint64, m *change.TableMap, err error) {
	return parseTableMap(body, isCharacter)
}

// ParseMariaDBTableMap is ParseTableMap for a source of MariaDB, whose character sets speak of more columns. The event
// itself does not tell whose it is.
func ParseMariaDBTableMap(body []byte) (id uint64, m *change.TableMap, err error) {
	if id, m, err = parseTableMap(body, isMariaDBCharacter); err == nil {
		m.MariaDB = true
	}
	return id, m, err
}

// matcher tells of which columns a field speaks.
type matcher func(typ byte, meta uint16) bool

func parseTableMap(body []byte, character matcher) (id uint64, m *change.TableMap, err error) {
	r := reader{data: body}
	id = r.uint(6)
	r.take(2) // Flags.
	m = &change.TableMap{}
	m.Schema = r.name()
	m.Table = r.name()
	columns := r.length(1)
	m.Types = slices.Clone(r.take(columns))
	meta := reader{data: r.take(r.length(1))}
	m.Nullable = slices.Clone(r.take(bitmapLen(columns)))
	if r.bad {
		return 0, nil, fmt.Errorf("TABLE_MAP: %w", errShort)
	}
	if err := parseMeta(m, meta); err != nil {
		return 0, nil, fmt.Errorf("TABLE_MAP of %s.%s: %w", m.Schema, m.Table, err)
	}
	if err := parseOptional(m, r, character); err != nil {
		return 0, nil, fmt.Errorf("TABLE_MAP of %s.%s: %w", m.Schema, m.Table, err)
	}
	return id, m, nil
}

// name reads a name with its length before and a zero byte behind.
func (r *reader) name() string {
	s := string(r.take(int(r.uint(1))))
	r.take(1)
	return s
}

// parseMeta fills Meta and proves that each column can be measured.
func parseMeta(m *change.TableMap, r reader) error {
	m.Meta = make([]uint16, len(m.Types))
	for i, typ := range m.Types {
		switch typ {
		case typeString, typeNewDecimal:
			m.Meta[i] = uint16(r.uint(1))<<8 | uint16(r.uint(1))
		case typeVarString, typeVarchar, typeBit, typeVarcharCompressed:
			m.Meta[i] = uint16(r.uint(2))
		case typeBlob, typeBlobCompressed, typeDouble, typeFloat, typeGeometry, typeVector, typeJSON, typeTime2, typeDatetime2, typeTimestamp2:
			m.Meta[i] = uint16(r.uint(1))
		}
		if _, err := wireOf(typ, m.Meta[i]); err != nil && !r.bad {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	if r.bad {
		return fmt.Errorf("column metadata: %w", errShort)
	}
	if len(r.data) != 0 {
		return errors.New("column metadata: longer than its types say")
	}
	return nil
}

// parseOptional reads the optional metadata. Fields of other types are skipped: they say nothing that a row's
// bytes depend on.
func parseOptional(m *change.TableMap, r reader, character matcher) error {
	for len(r.data) > 0 && !r.bad {
		typ := r.uint(1)
		field := reader{data: r.take(r.length(1))}
		if r.bad {
			break
		}
		var err error
		switch typ {
		case metaSignedness:
			err = parseSignedness(m, field)
		case metaDefaultCharset:
			err = parseDefaultCharset(m, field, character)
		case metaColumnCharset:
			err = parseColumnCharset(m, field, character)
		case metaEnumDefCharset:
			err = parseDefaultCharset(m, field, isEnumOrSet)
		case metaEnumColsCharset:
			err = parseColumnCharset(m, field, isEnumOrSet)
		case metaColumnName:
			err = parseNames(m, field)
		case metaSetMembers:
			err = parseMembers(m, field, typeSet)
		case metaEnumMembers:
			err = parseMembers(m, field, typeEnum)
		case metaPrimaryKey, metaPrimaryPrefix:
			err = parsePrimaryKey(m, field, typ == metaPrimaryPrefix)
		}
		if err != nil {
			return fmt.Errorf("optional metadata %d: %w", typ, err)
		}
	}
	if r.bad {
		return fmt.Errorf("optional metadata: %w", errShort)
	}
	return nil
}

// parseSignedness reads a bit per numeric column, high bit first: set for UNSIGNED.
func parseSignedness(m *change.TableMap, r reader) error {
	m.Unsigned = make([]bool, len(m.Types))
	n := 0
	for i, typ := range m.Types {
		if !isNumeric(typ) {
			continue
		}
		if n/8 >= len(r.data) {
			return errShort
		}
		m.Unsigned[i] = r.data[n/8]&(0x80>>(n%8)) != 0
		n++
	}
	return nil
}

// parseDefaultCharset reads the collation that most columns have, then pairs of an index among the columns that
// match and its own collation.
func parseDefaultCharset(m *change.TableMap, r reader, match matcher) error {
	def := uint16(r.packed())
	columns := matching(m, match)
	for _, i := range columns {
		m.Collations[i] = def
	}
	for len(r.data) > 0 && !r.bad {
		index, id := r.packed(), r.packed()
		if index >= uint64(len(columns)) {
			return errors.New("charset of a column that is not there")
		}
		m.Collations[columns[index]] = uint16(id)
	}
	if r.bad {
		return errShort
	}
	return nil
}

// parseColumnCharset reads a collation for each column that matches.
func parseColumnCharset(m *change.TableMap, r reader, match matcher) error {
	for _, i := range matching(m, match) {
		m.Collations[i] = uint16(r.packed())
	}
	if r.bad {
		return errShort
	}
	return nil
}

// matching lists the columns that a charset field speaks of, and makes room for their collations.
func matching(m *change.TableMap, match matcher) []int {
	if m.Collations == nil {
		m.Collations = make([]uint16, len(m.Types))
	}
	var columns []int
	for i, typ := range m.Types {
		if match(typ, m.Meta[i]) {
			columns = append(columns, i)
		}
	}
	return columns
}

// parseNames reads a name per column, each with a length of one byte.
func parseNames(m *change.TableMap, r reader) error {
	m.Names = make([]string, len(m.Types))
	for i := range m.Names {
		m.Names[i] = string(r.take(int(r.uint(1))))
	}
	if r.bad {
		return errShort
	}
	return nil
}

// parseMembers reads the members of each column of a type, ENUM or SET: their number, then each with its length, packed.
func parseMembers(m *change.TableMap, r reader, of byte) error {
	if m.Members == nil {
		m.Members = make([][]string, len(m.Types))
	}
	for i, typ := range m.Types {
		if typ != typeString || byte(m.Meta[i]>>8) != of {
			continue
		}
		all := make([]string, 0, min(r.length(1), maxMembers))
		for range cap(all) {
			all = append(all, string(r.take(r.length(1))))
		}
		m.Members[i] = all
	}
	if r.bad {
		return errShort
	}
	return nil
}

// maxMembers is the largest number of members that an ENUM has.
const maxMembers = 65535

// parsePrimaryKey reads a packed place per column of the primary key, each followed by the length of its prefix where
// one of them has a prefix.
func parsePrimaryKey(m *change.TableMap, r reader, prefixes bool) error {
	for len(r.data) > 0 && !r.bad {
		place := r.packed()
		if prefixes {
			r.packed()
		}
		if place >= uint64(len(m.Types)) {
			return errors.New("primary key over a column that is not there")
		}
		m.PrimaryKey = append(m.PrimaryKey, int(place))
	}
	if r.bad {
		return errShort
	}
	return nil
}

// isNumeric: the columns that SIGNEDNESS has a bit for (log_event.cc, is_numeric_type).
func isNumeric(typ byte) bool {
	switch typ {
	case typeTiny, typeShort, typeInt24, typeLong, typeLonglong, typeDecimal, typeNewDecimal, typeFloat, typeDouble, typeYear:
		return true
	}
	return false
}

// isCharacter: the columns that the CHARSET fields speak of (log_event.cc, is_character_type); binary strings and
// vectors are among them, with collation 63.
func isCharacter(typ byte, meta uint16) bool {
	switch typ {
	case typeString:
		return !isEnumOrSet(typ, meta)
	case typeVarString, typeVarchar, typeBlob, typeVector:
		return true
	}
	return false
}

// isMariaDBCharacter: the same of MariaDB (seen on 10.11): spatial columns count, with collation 63, and COMPRESSED ones.
func isMariaDBCharacter(typ byte, meta uint16) bool {
	_, packed := unpacked(typ)
	return packed || typ == typeGeometry || isCharacter(typ, meta)
}

// isEnumOrSet: the columns that the ENUM_AND_SET fields speak of.
func isEnumOrSet(typ byte, meta uint16) bool {
	if typ != typeString {
		return false
	}
	real, _ := realString(meta)
	return real == typeEnum || real == typeSet
}
