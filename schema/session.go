package schema

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/binseal/binseal/change"
)

// sqlModes are the names of sql_mode's bits, in the order of system_variables.h (MODE_*). An empty name is a bit
// that no supported target accepts.
var sqlModes = [...]string{
	0: "REAL_AS_FLOAT", 1: "PIPES_AS_CONCAT", 2: "ANSI_QUOTES", 3: "IGNORE_SPACE", 5: "ONLY_FULL_GROUP_BY",
	6: "NO_UNSIGNED_SUBTRACTION", 7: "NO_DIR_IN_CREATE", 18: "ANSI", 19: "NO_AUTO_VALUE_ON_ZERO",
	20: "NO_BACKSLASH_ESCAPES", 21: "STRICT_TRANS_TABLES", 22: "STRICT_ALL_TABLES", 23: "NO_ZERO_IN_DATE",
	24: "NO_ZERO_DATE", 25: "ALLOW_INVALID_DATES", 26: "ERROR_FOR_DIVISION_BY_ZERO", 27: "TRADITIONAL",
	29: "HIGH_NOT_PRECEDENCE", 30: "NO_ENGINE_SUBSTITUTION", 31: "PAD_CHAR_TO_FULL_LENGTH",
	32: "TIME_TRUNCATE_FRACTIONAL", 33: "INTERPRET_UTF8_AS_UTF8MB4",
}

// withoutEffect are bits of sql_mode that MySQL 8.0 removed and that change no definition: NOT_USED (4),
// NO_KEY_OPTIONS, NO_TABLE_OPTIONS and NO_FIELD_OPTIONS (13–15: the output of SHOW CREATE) and NO_AUTO_CREATE_USER
// (28: GRANT).
const withoutEffect = 1<<4 | 1<<13 | 1<<14 | 1<<15 | 1<<28

// generalCI is the id of utf8mb4_general_ci.
const generalCI = 45

// SessionStatements are the SET statements that recreate the event's session on the target before its DDL. Run them
// in order on a session of their own: nothing undoes them. The default database is the statement's, not the
// session's: USE it first.
//
// All of them are open to an account without special privileges. So these are left out: default_table_encryption
// and sql_require_primary_key (the target's own rule must hold: it may be encrypted), and collation_database (it
// follows USE). Character sets and collations are set by id, as mysqlbinlog does: ids are the same on all servers,
// while names differ by version (utf8_general_ci, utf8mb3_general_ci).
//
// The time zone is carried only by statements that depend on it, such as a TIMESTAMP with a literal default.
// "SYSTEM" is the zone of the source's machine, which the event does not tell: it is a *change.Fault
// BS-DDL-TIMEZONE, unless whoever knows the source has replaced it (SystemZone). A bit of sql_mode that has no name is
// a BS-DDL-UNSUPPORTED.
func SessionStatements(c change.SessionContext) ([]string, error) {
	var out []string
	set := func(format string, args ...any) { out = append(out, "SET SESSION "+fmt.Sprintf(format, args...)) }
	if c.SQLMode != nil {
		mode, err := modeNames(*c.SQLMode)
		if err != nil {
			return nil, err
		}
		set("sql_mode='%s'", mode)
	}
	set("foreign_key_checks=%d", bit(!c.NoForeignKeyChecks))
	set("unique_checks=%d", bit(!c.RelaxedUnique))
	set("sql_auto_is_null=%d", bit(c.AutoIsNull))
	set("lc_time_names=%d", c.LCTimeNames) // Not carried: en_US, whatever the target's default is.
	for _, v := range []struct {
		name  string
		value uint16
	}{
		{"character_set_client", c.CharsetClient},
		{"collation_connection", c.CollationConnection},
		{"collation_server", c.CollationServer},
		// Sources before 8.0 do not carry it: theirs was utf8mb4_general_ci.
		{"default_collation_for_utf8mb4", cmp.Or(c.DefaultCollationUTF8MB4, generalCI)},
		// The event carries these two where one of them is not 1, whatever the target's default is: an ALTER that adds an
		// AUTO_INCREMENT column numbers rows.
		{"auto_increment_increment", max(1, c.AutoIncrementIncrement)},
		{"auto_increment_offset", max(1, c.AutoIncrementOffset)},
	} {
		if v.value != 0 {
			set("%s=%d", v.name, v.value)
		}
	}
	zone, err := zoneStatement(c.TimeZone)
	if err != nil {
		return nil, err
	}
	if zone != "" {
		set("%s", zone)
	}
	if !c.Timestamp.IsZero() {
		set("timestamp=%d.%06d", c.Timestamp.Unix(), c.Timestamp.Nanosecond()/1000)
	}
	switch {
	case c.ExplicitDefaultsTS != nil:
		set("explicit_defaults_for_timestamp=%d", bit(*c.ExplicitDefaultsTS))
	case TellsDefaultsTS(c):
		// OFF on the target would give defaults to TIMESTAMP columns that are there already, at any ALTER.
		set("explicit_defaults_for_timestamp=1")
	}
	return out, nil
}

// TellsDefaultsTS reports an event of MySQL 8.0 or later, by variables that only they have. Those carry
// explicit_defaults_for_timestamp with each statement that makes a TIMESTAMP column under OFF or ON, so a statement
// without it makes none. Older sources never carry it: the target's own setting decides there.
func TellsDefaultsTS(c change.SessionContext) bool {
	return c.DDLXID != 0 || c.DefaultCollationUTF8MB4 != 0 || c.DefaultTableEncryption != nil || c.SQLRequirePrimaryKey != nil
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// modeNames is sql_mode as text.
func modeNames(bits uint64) (string, error) {
	var names []string
	for i := range 64 {
		if bits&(1<<i) == 0 || withoutEffect&(1<<i) != 0 {
			continue
		}
		if i >= len(sqlModes) || sqlModes[i] == "" {
			return "", unsupported(fmt.Sprintf("a statement under bit %d of sql_mode, which current servers do not have,", i),
				"change sql_mode on the source; make this change on the target by hand and skip the transaction (binseal position skip)")
		}
		names = append(names, sqlModes[i])
	}
	return strings.Join(names, ","), nil
}

// zoneStatement is the assignment of time_zone; "" when none is carried.
func zoneStatement(zone string) (string, error) {
	switch {
	case zone == "":
		return "", nil
	case strings.EqualFold(zone, "SYSTEM"):
		return "", &change.Fault{Code: "BS-DDL-TIMEZONE", Class: change.ClassPerson,
			What: "a statement depends on the time zone of the source's machine, which its event does not tell",
			Next: "set time_zone on the source to an offset such as '+00:00' before DDL with times; make this change on the target by hand and skip the transaction (binseal position skip)"}
	case strings.Trim(zone, zoneCharacters) != "":
		return "", unsupported("a statement under a time zone whose name is not plain", "use a named zone or an offset on the source")
	}
	return "time_zone='" + zone + "'", nil
}

// SystemZone is the time zone that stands for "SYSTEM" on a server whose @@system_time_zone is given; false when that
// does not tell. Only UTC does: the variable holds an abbreviation, as it was when the server started, and others are
// not unique and change with daylight saving (London is GMT in winter and BST in summer).
func SystemZone(systemTimeZone string) (zone string, ok bool) {
	switch systemTimeZone {
	case "UTC", "UCT", "Etc/UTC", "Zulu", "Universal":
		return "+00:00", true
	}
	return "", false
}

// zoneCharacters are what offsets and names of zones are made of; nothing of it needs quoting.
const zoneCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-:_/."
