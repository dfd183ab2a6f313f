package mysqlconn

import (
	"fmt"
	"time"
)

// targetSQLMode passed all type cases: strict, so that no value is clipped or zeroed silently, but with what valid
// old rows need. NO_AUTO_VALUE_ON_ZERO keeps a 0 in an AUTO_INCREMENT column a 0; ALLOW_INVALID_DATES keeps dates
// such as 2024-02-31; NO_ZERO_DATE, NO_ZERO_IN_DATE and ERROR_FOR_DIVISION_BY_ZERO are left out.
const (
	targetSQLMode = "STRICT_ALL_TABLES," + laxSQLMode
	laxSQLMode    = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
)

// LaxHint makes the statement behind whose verb it stands, and no other, not strict: it may change values silently, so
// that what it wrote must be proved. The hint needs no privilege (the manual, "SET_VAR: Variable-Setting Hint Syntax";
// MySQL 8.0.3); a server that does not know it stays strict.
const LaxHint = "/*+ SET_VAR(sql_mode='" + laxSQLMode + "') */ "

// TargetInit gives the settings of an applier session. All of them are open to any user: no SUPER and no
// SESSION_VARIABLES_ADMIN, as on Aurora.
//
// waitTimeout is how long the server keeps a session that sends nothing, with its locks, between statements and within a
// file (Session.Load); lockWait is the patience
// for row locks and for metadata locks. Both are rounded up to whole seconds, at least 1.
func TargetInit(waitTimeout, lockWait time.Duration) []string {
	return []string{
		"SET NAMES utf8mb4",
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
		// What a server's configuration may have changed and our statements depend on: a completion_type of CHAIN
		// or RELEASE changes what COMMIT does, sql_safe_updates refuses updates of keyless tables.
		"SET SESSION time_zone='+00:00', SESSION sql_mode='" + targetSQLMode + "', SESSION autocommit=1, SESSION completion_type=0," +
			" SESSION sql_safe_updates=0, SESSION sql_auto_is_null=0",
		// Stored generated columns are computed here anew: by the server's defaults, as on a source that has not changed
		// them. Row events do not tell what the source's session had.
		"SET SESSION lc_time_names='en_US', SESSION default_week_format=0, SESSION div_precision_increment=4, SESSION block_encryption_mode='aes-128-ecb'",
		// The source has checked foreign keys (DESIGN.md §2). unique_checks stays 1: with 0 InnoDB may skip the check
		// of secondary unique indexes, and a duplicate would go in unseen.
		"SET SESSION foreign_key_checks=0, SESSION unique_checks=1",
		fmt.Sprintf("SET SESSION wait_timeout=%d, SESSION net_read_timeout=%d, SESSION innodb_lock_wait_timeout=%d, SESSION lock_wait_timeout=%d",
			wholeSeconds(waitTimeout), wholeSeconds(waitTimeout), wholeSeconds(lockWait), wholeSeconds(lockWait)),
	}
}

func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
