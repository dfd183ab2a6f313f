package schema

import (
	"regexp"
	"slices"
	"strings"
)

// MarkGenerated notes of each generated column what its value depends on beside the row. expressions are the columns'
// GENERATION_EXPRESSION, "" where there is none. A generated column only refers to generated columns before it.
func MarkGenerated(t *Table, expressions []string) {
	markZoneBound(t, expressions)
	for i, expression := range expressions {
		c := &t.Columns[i]
		if c.Generated == NotGenerated {
			continue
		}
		c.SessionBound = !settled(expression) || c.MaxBytes > longValue
		for j := range t.Columns {
			if base := &t.Columns[j]; j != i && names(expression, base.Name) {
				c.Reads = append(append(c.Reads, base.Name), base.Reads...)
				c.SessionBound = c.SessionBound || base.SessionBound || base.DataType == "char" || base.MaxBytes > longValue
			}
		}
		slices.Sort(c.Reads)
		c.Reads = slices.Compact(c.Reads)
	}
}

// longValue is the length of a value in bytes above which a function may meet max_allowed_packet and give NULL.
const longValue = 1 << 16

// settledWords are words and functions of an expression whose value follows from its arguments alone. Others follow a
// setting of the session, or may: lc_time_names (MONTHNAME(), DAYNAME(), DATE_FORMAT()), default_week_format (WEEK(), of
// the session that defines the column), div_precision_increment (/), block_encryption_mode (AES_ENCRYPT()), max_allowed_packet (REPEAT() and its like), and of
// sql_mode NO_UNSIGNED_SUBTRACTION (-), PAD_CHAR_TO_FULL_LENGTH (whatever reads a CHAR), NO_ZERO_DATE,
// NO_ZERO_IN_DATE, ALLOW_INVALID_DATES and TIME_TRUNCATE_FRACTIONAL (conversions to temporal types), and the strict modes
// (an error, NULL or a clipped value). Source: the manual, "Server System Variables" and "Server SQL Modes".
var settledWords = strings.Fields(`and or not is null like in case when then else end true false
	concat concat_ws lower lcase upper ucase left right substr substring substring_index length char_length octet_length bit_length
	md5 sha sha1 sha2 crc32 hex unhex reverse replace instr locate ifnull if coalesce nullif isnull
	json_extract json_unquote json_length json_type json_valid json_contains uuid_to_bin bin_to_uuid`)

var (
	quotedPart = regexp.MustCompile("`[^`]*`" + `|\\?'[^'\\]*\\?'`) // A name, or a plain literal as information_schema writes it.
	wordPart   = regexp.MustCompile(`[\p{L}_$][\p{L}\p{N}_$]*`)
)

// settled reports an expression whose value does not depend on the session that computes it, as far as that is known;
// when in doubt it is not.
func settled(expression string) bool {
	rest := quotedPart.ReplaceAllString(expression, " ")
	if strings.ContainsAny(rest, "-/%'`\\") {
		return false
	}
	for _, word := range wordPart.FindAllString(rest, -1) {
		introducer := strings.HasPrefix(word, "_") // Of a literal's character set.
		if !introducer && !slices.Contains(settledWords, strings.ToLower(word)) {
			return false
		}
	}
	return true
}

// names reports an expression that names a column: in backticks, or bare where the session that defined it had
// sql_quote_show_create=0.
func names(expression, column string) bool {
	if strings.Contains(expression, QuoteName(column)) {
		return true
	}
	bare := wordPart.FindAllString(quotedPart.ReplaceAllString(expression, " "), -1)
	return slices.ContainsFunc(bare, func(word string) bool { return strings.EqualFold(word, column) })
}

// markZoneBound finds the generated columns whose value follows the time zone of the session that writes the row:
// those that read a TIMESTAMP or are one, or call FROM_UNIXTIME(), and what is generated from them. (UNIX_TIMESTAMP()
// is not allowed there.)
func markZoneBound(t *Table, expressions []string) {
	for i, expression := range expressions {
		c := &t.Columns[i]
		c.ZoneBound = c.Generated != NotGenerated && (c.DataType == "timestamp" || ReadsZone(t, expression))
	}
}

// ReadsZone reports an expression whose value follows the time zone of the session that writes the row: it names a
// TIMESTAMP, a column that is bound to a zone itself (MarkGenerated comes before), or a function that is.
func ReadsZone(t *Table, expression string) bool {
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.DataType == "timestamp" || c.ZoneBound) && names(expression, c.Name) {
			return true
		}
	}
	return strings.Contains(expression, "from_unixtime(") || strings.Contains(expression, "convert_tz(") && strings.Contains(strings.ToUpper(expression), "'SYSTEM'")
}
