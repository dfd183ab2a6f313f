package replicator

import (
	"fmt"
	"time"

	"github.com/binseal/binseal/change"
)

// Codes of the status variables in a QUERY event. Source: statement_events.h, Query_event_status_vars; the list is
// complete up to MySQL 9.7.
const (
	qFlags2              = 0
	qSQLMode             = 1
	qCatalog             = 2
	qAutoIncrement       = 3
	qCharset             = 4
	qTimeZone            = 5
	qCatalogNZ           = 6
	qLCTimeNames         = 7
	qCharsetDatabase     = 8
	qTableMapForUpdate   = 9
	qMasterDataWritten   = 10
	qInvoker             = 11
	qUpdatedDBNames      = 12
	qMicroseconds        = 13
	qExplicitDefaultsTS  = 16
	qDDLLoggedWithXID    = 17
	qDefaultCollationUTF = 18
	qSQLRequirePK        = 19
	qDefaultEncryption   = 20

	// MariaDB, log_event.h.
	qMicrosecondsMariaDB = 128 // Q_HRNOW
	qXIDMariaDB          = 129 // Q_XID, of DDL.
	qGTIDFlags           = 130 // Q_GTID_FLAGS3: the second flags of a GTID event, with the number of its ALTER.
)

// Bits of the flags2 variable. Source: query_options.h.
const (
	optAutoIsNull         = 1 << 14
	optNoForeignKeyChecks = 1 << 26
	optRelaxedUnique      = 1 << 27
)

// manyDatabases in the place of the number of changed databases: more than 16, their names are left out.
const manyDatabases = 254

// parseStatusVars decodes the session context of a statement that ran at the given header timestamp. The variables
// carry no lengths, so an unknown code makes the rest unreadable and is an error (invariant 6).
func parseStatusVars(vars []byte, timestamp uint32) (change.SessionContext, error) {
	c := cursor{rest: vars}
	var s change.SessionContext
	var micros uint64
	for !c.done() {
		switch code := c.uint8(); code {
		case qMicroseconds, qMicrosecondsMariaDB:
			micros = c.uint(3)
		case qCatalog: // A length, the name and a zero byte: 5.0.0 to 5.0.3 only.
			c.skip(int(c.uint8()) + 1)
		case qCatalogNZ:
			c.string8()
		case qTableMapForUpdate, qXIDMariaDB:
			c.skip(8)
		case qGTIDFlags:
			if flags := c.uint8(); flags&(gtidCommitAlter|gtidRollbackAlter) != 0 {
				c.skip(8)
			}
		case qMasterDataWritten:
			c.skip(4)
		case qInvoker: // User and host that a definer clause defaults to.
			c.string8()
			c.string8()
		case qUpdatedDBNames:
			if n := c.uint8(); n != manyDatabases {
				for ; n > 0 && c.err == nil; n-- {
					c.terminated()
				}
			}
		default:
			if !sessionVar(code, &c, &s) {
				return change.SessionContext{}, fmt.Errorf("status variable %d is not known", code)
			}
		}
	}
	if c.err != nil {
		return change.SessionContext{}, c.err
	}
	s.Timestamp = time.Unix(int64(timestamp), int64(micros)*int64(time.Microsecond)).UTC()
	return s, nil
}

// sessionVar decodes one variable that a statement's session is made of; false when the code is not known.
func sessionVar(code byte, c *cursor, s *change.SessionContext) bool {
	switch code {
	case qFlags2:
		flags := c.uint32()
		s.AutoIsNull = flags&optAutoIsNull != 0
		s.NoForeignKeyChecks = flags&optNoForeignKeyChecks != 0
		s.RelaxedUnique = flags&optRelaxedUnique != 0
	case qSQLMode:
		mode := c.uint64()
		s.SQLMode = &mode
	case qAutoIncrement:
		s.AutoIncrementIncrement, s.AutoIncrementOffset = c.uint16(), c.uint16()
	case qCharset:
		s.CharsetClient, s.CollationConnection, s.CollationServer = c.uint16(), c.uint16(), c.uint16()
	case qTimeZone:
		s.TimeZone = c.string8()
	case qLCTimeNames:
		s.LCTimeNames = c.uint16()
	case qCharsetDatabase:
		s.CollationDatabase = c.uint16()
	case qExplicitDefaultsTS:
		s.ExplicitDefaultsTS = flag(c)
	case qDDLLoggedWithXID:
		s.DDLXID = c.uint64()
	case qDefaultCollationUTF:
		s.DefaultCollationUTF8MB4 = c.uint16()
	case qSQLRequirePK:
		s.SQLRequirePrimaryKey = flag(c)
	case qDefaultEncryption:
		s.DefaultTableEncryption = flag(c)
	default:
		return false
	}
	return true
}

func flag(c *cursor) *bool {
	on := c.uint8() != 0
	return &on
}
