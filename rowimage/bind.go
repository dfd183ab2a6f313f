package rowimage

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"
)

// kind says how a column's value is read and written.
type kind uint8

const (
	kindUnknown kind = iota // Only of generated columns, whose values are measured and not read.
	kindInt
	kindYear
	kindDecimal
	kindFloat
	kindDouble
	kindBit
	kindDate
	kindTime
	kindDatetime
	kindTimestamp
	kindEnum
	kindSet
	kindText
	kindBinary // BINARY(n), whose trailing zero bytes the image leaves out.
	kindBytes  // VARBINARY and the BLOBs.
	kindJSON
	kindGeometry
	kindVector
	kindOldTime // Formats before MySQL 5.6.4.
	kindOldDatetime
	kindOldTimestamp
)

// column is what the writers need to know of one column.
type column struct {
	kind     kind
	unsigned bool
	written  bool // Named in statements: every column but the generated ones.
	onUpdate bool // schema.Column.OnUpdateNow
	utf8     bool // Text in utf8mb4 or utf8mb3, which goes into the statement as it is.
	packed   bool // COMPRESSED on the source (MariaDB): see unpack.
	hex      bool // Text that goes into the statement as hexadecimal: charset.hex.
	scale    uint8
	digits   uint8    // Precision of a DECIMAL, fsp of a temporal type.
	unit     uint8    // Least number of bytes of a character: charset.unit.
	pad      int      // The n of BINARY(n).
	members  []string // Of an ENUM or SET, escaped for a quoted string.
	name     string   // Quoted.
	intro    string   // What stands before a text or binary literal: "'" or "_latin1'".
	hexIntro string   // What stands before a text in hexadecimal: "_gbk x'".
}

// Layout joins the row images of one TABLE_MAP with the target's definition of the table. It writes images as SQL.
// It is immutable and safe for concurrent use; it stays valid until either side changes (see Fits).
type Layout struct {
	table   *schema.Table
	source  *change.TableMap
	columns []column
	wires   []wire // Of the columns, close together.

	insertColumns, identityColumns string

	enums     bool   // There is an ENUM or SET.
	documents bool   // There is a JSON column.
	bound     []int  // Generated columns that are stored, whose value may depend on the session: see AppendProof.
	all       []byte // The bitmap of columns of a full image.

	loads    bool     // See Loads.
	joins    bool     // Rows can be found by their identity in a joined update: see Changed.
	unites   bool     // Nothing stored is made of other columns: see ValuesJoin.
	identity *keyPlan // Nil for a keyless table.
	keys     []*keyPlan
}

// Bind checks that the images which m describes fit the target's table t, column by column, and prepares the writers.
// Columns are matched by name where the source sends names: the target's may then stand in another order, and it may
// have columns in addition that fill themselves. Without names their number and order must be the same. Types and their
// sizes, the signedness and character sets must agree, the latter two as far as the source sent them. Strings may be
// longer on the target, and its character set may be a superset of which each text has the same bytes (ascii in latin1,
// utf8mb3 in utf8mb4).
//
// The error is a *change.Fault of ClassPerson with code CodeMismatch, or CodeUnsupported for what is not carried over:
// DECIMAL from before MySQL 5.0, columns of type NULL, and character sets that MySQL does not have. Generated columns are in the images and left out of statements; what is in them
// does not matter unless a key is over them.
func Bind(m *change.TableMap, t *schema.Table) (*Layout, error) {
	t, err := arrange(m, t)
	if err != nil {
		return nil, err
	}
	l := &Layout{table: t, source: m, columns: make([]column, len(t.Columns)), wires: make([]wire, len(t.Columns))}
	var names []string
	for i := range t.Columns {
		if err := l.bindColumn(i); err != nil {
			return nil, err
		}
		if l.columns[i].written {
			names = append(names, l.columns[i].name)
		}
	}
	if len(names) == 0 {
		return nil, mismatch(m, t, nil, "the target's table has no column that can be written")
	}
	l.insertColumns = strings.Join(names, ",")
	l.all = bytes.Repeat([]byte{0xff}, bitmapLen(len(l.columns)))
	if err := l.bindKeys(); err != nil {
		return nil, err
	}
	l.loads, l.joins = l.canLoad(), l.joinsIdentity()
	l.unites = !slices.ContainsFunc(l.table.Columns, func(c schema.Column) bool { return c.Generated == schema.StoredColumn })
	return l, nil
}

// Table is the target's table, with its columns and the parts of its keys in the places of the images
// (schema.Table.Arrange).
func (l *Layout) Table() *schema.Table { return l.table }

// Fits reports whether the images that m describes are laid out as this Layout's. A source sends a TABLE_MAP with
// every statement; as long as it fits, there is no need to Bind again.
func (l *Layout) Fits(m *change.TableMap) bool {
	s := l.source
	return m == s || bytes.Equal(m.Types, s.Types) && slices.Equal(m.Meta, s.Meta) &&
		slices.Equal(m.Unsigned, s.Unsigned) && slices.Equal(m.Collations, s.Collations) &&
		slices.Equal(m.Names, s.Names) && slices.EqualFunc(m.Members, s.Members, slices.Equal[[]string]) && slices.Equal(m.PrimaryKey, s.PrimaryKey) && m.Schema == s.Schema && m.Table == s.Table
}

// bindColumn checks column i and prepares its writer.
func (l *Layout) bindColumn(i int) error {
	m, c := l.source, &l.table.Columns[i]
	typ, meta := m.Types[i], m.Meta[i]
	w, err := wireOf(typ, meta)
	if err != nil {
		return refuse(l.table, c, "the source's column: %v", err)
	}
	l.wires[i] = w
	col := &l.columns[i]
	*col = column{
		unsigned: c.Unsigned, written: c.Generated == schema.NotGenerated, onUpdate: c.OnUpdateNow,
		scale: uint8(c.Scale), digits: uint8(c.FSP), name: schema.QuoteName(c.Name),
	}
	if c.ZoneBound && (c.Generated == schema.StoredColumn || l.inKey(i)) {
		// The target would compute it in the applier's zone: another value than the source has stored.
		return refuseZone(l.table, c)
	}
	if what := notCarried(typ); what != "" {
		if !col.written {
			return nil
		}
		return refuse(l.table, c, "%s is not carried over yet", what)
	}
	plain, meta, packed := l.declared(i)
	col.packed = packed
	kind, fits := kindOf(plain, meta, c)
	if old, is := oldTemporals[typ]; is && m.MariaDB && old.dataType == c.DataType && c.FSP > 0 {
		return refuse(l.table, c, "the source's column is %s and may have a fraction, which the log of MariaDB does not tell", describe(typ, meta))
	}
	if !fits {
		return mismatch(l.source, l.table, c, "the source's column is %s, the target's %s", describe(typ, meta), c.ColumnType)
	}
	col.kind = kind
	if col.written && (kind == kindTimestamp || kind == kindOldTimestamp) && m.MayBeNull(i) && !c.Nullable {
		return mismatch(m, l.table, c, "the source's column takes NULL and the target's does not: its server may write the time of now in its place (explicit_defaults_for_timestamp)")
	}
	// MariaDB and MySQL differ in functions of one name: JSON_EXTRACT() gives 1e3 there and 1000.0 here.
	if c.SessionBound && (c.Generated == schema.StoredColumn || l.inKey(i)) || m.MariaDB && c.Generated == schema.StoredColumn {
		l.bound = append(l.bound, i)
	}
	if m.Unsigned != nil && isNumeric(typ) && typ != typeYear && m.Unsigned[i] != c.Unsigned {
		return mismatch(l.source, l.table, c, "the column is UNSIGNED on one side only")
	}
	return l.bindKind(col, i)
}

// bindKind finishes what depends on the column's kind.
func (l *Layout) bindKind(col *column, i int) error {
	c := &l.table.Columns[i]
	var sent uint16
	if l.source.Collations != nil {
		sent = l.source.Collations[i]
	}
	switch col.kind {
	case kindDecimal:
		col.digits = uint8(c.Precision)
	case kindEnum, kindSet:
		col.members, l.enums = members(c.ColumnType), true
		return l.bindMembers(col, i, charsetOf(sent))
	case kindJSON:
		l.documents = true
	case kindBinary, kindBytes:
		col.pad, col.intro = int(c.MaxBytes), "_binary'"
		if from := charsetOf(sent); sent != 0 && (from == nil || from.name != "binary") {
			return mismatch(l.source, l.table, c, "the source's column is text, the target's %s", c.ColumnType)
		}
	case kindGeometry, kindVector:
		col.intro = "_binary'"
	case kindText:
		return l.bindText(col, i, sent)
	}
	return nil
}

// bindMembers checks that each value of an ENUM or SET means on the target what it means on the source: the row images
// have its number only. The target may have further members behind. cs is the source's character set, nil where it is
// not known; members that the catalogue shows otherwise than the log are not compared.
func (l *Layout) bindMembers(col *column, i int, cs *charset) error {
	if l.source.Members == nil {
		return nil
	}
	c, sent := &l.table.Columns[i], l.source.Members[i]
	if len(sent) > len(col.members) {
		return mismatch(l.source, l.table, c, "the source's column has %d members, the target's %d", len(sent), len(col.members))
	}
	for n, member := range sent {
		if shown, comparable := shownMember(member, cs); comparable && shown != unescaped.Replace(col.members[n]) {
			return mismatch(l.source, l.table, c, "member %d of the column is another on the target", n+1)
		}
	}
	return nil
}

// unescaped takes back what COLUMN_TYPE writes for a member (sql_string.cc, append_unescaped).
var unescaped = strings.NewReplacer("''", "'", `\\`, `\`, `\0`, "\x00", `\n`, "\n", `\r`, "\r")

// shownMember is a member as information_schema shows it: in utf8mb3, with '?' for what that does not have.
func shownMember(member string, cs *charset) (shown string, comparable bool) {
	switch {
	case cs == nil:
		return "", false
	case cs.utf8() && utf8.ValidString(member):
		return strings.Map(func(r rune) rune {
			if r > 0xffff {
				return '?'
			}
			return r
		}, member), true
	case cs.ascii && !strings.ContainsFunc(member, func(r rune) bool { return r >= utf8.RuneSelf }):
		return member, true
	}
	return "", false
}

// bindText prepares a text column; sent is the collation that the source sent, 0 when it sent none.
func (l *Layout) bindText(col *column, i int, sent uint16) error {
	c := &l.table.Columns[i]
	cs, known := charsetNamed(c.Charset)
	if !known || cs.name == "binary" {
		if !col.written && !l.inKey(i) {
			col.kind = kindUnknown
			return nil
		}
		return refuse(l.table, c, "character set %s is not carried over", c.Charset)
	}
	if sent != 0 && !cs.holds(charsetOf(sent)) {
		return mismatch(l.source, l.table, c, "the source's collation has id %d, the target's character set is %s", sent, c.Charset)
	}
	if from := charsetOf(sent); from != nil && from != cs && strings.HasSuffix(c.DataType, "char") {
		// Bytes fit; but the server leaves off spaces beyond the target's last character, with a note at most.
		if has, takes := l.sourceBytes(i)/from.longest(), int(c.MaxBytes)/cs.longest(); has > takes {
			return mismatch(l.source, l.table, c, "the source's column has %d characters of %s, the target's %d of %s", has, from.name, takes, cs.name)
		}
	}
	col.utf8, col.hex, col.unit = cs.utf8(), cs.hex, uint8(cs.unit)
	col.intro = "'"
	if !col.utf8 {
		col.intro = "_" + c.Charset + "'"
	}
	col.hexIntro = "_" + c.Charset + " x'"
	return nil
}

// declared is the type of the source's column i and its metadata, as if it were not COMPRESSED where packed says that it is.
func (l *Layout) declared(i int) (typ byte, meta uint16, packed bool) {
	typ, packed = unpacked(l.source.Types[i])
	meta = l.source.Meta[i]
	if packed && typ == typeVarchar && meta > 0 {
		meta-- // The byte that says how.
	}
	return typ, meta, packed
}

// sourceBytes is the declared length of a CHAR or VARCHAR of the source.
func (l *Layout) sourceBytes(i int) int {
	typ, meta, _ := l.declared(i)
	if typ == typeString {
		_, n := realString(meta)
		return n
	}
	return int(meta)
}

// inKey reports whether column i is part of a unique key whose bytes are asked for.
func (l *Layout) inKey(i int) bool {
	for _, k := range l.table.UniqueKeys() {
		if k.Weighed && slices.ContainsFunc(k.Parts, func(p schema.KeyPart) bool { return p.Column == i }) {
			return true
		}
	}
	return false
}
