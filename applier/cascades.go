package applier

import (
	"context"
	"database/sql"
	"errors"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// cascadesInSQL reports whether the target's SQL layer runs the cascades of foreign keys: MySQL 9.6 and later, unless
// started with innodb_native_foreign_keys=ON. Older servers, and Aurora MySQL 3, know no such variable: there InnoDB
// runs them.
func cascadesInSQL(ctx context.Context, s *mysqlconn.Session) (bool, error) {
	var name, native string
	err := s.QueryRow(ctx, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'").Scan(&name, &native)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return native != "ON", mysqlconn.Describe("target", "ask who runs the cascades of foreign keys", err)
}

// mayCascade refuses a change whose cascades are left to a target that runs them in its SQL layer. 9.7.4 was seen to
// leave children behind there, without an error:
//
//	c (b → b.id ON DELETE CASCADE, b2 → b.id ON DELETE SET NULL), d (c → c.id ON DELETE CASCADE)
//	DELETE FROM b WHERE id=11   -- c.b2 keeps 11 once a row of d hangs on a row of c; without d it becomes NULL
//
// An insert cascades to nothing.
func (a *Applier) mayCascade(b *boundTable, h *change.RowsHeader) error {
	if !a.sqlCascades || h.Op == change.Insert {
		return nil
	}
	return &change.Fault{Code: "BS-CASCADES", Class: change.ClassPerson, Where: b.def.String(),
		What: "the source leaves the cascades of foreign keys to its replica, and this target runs them outside of InnoDB (innodb_native_foreign_keys=OFF), which can leave children behind without an error",
		Next: "start the target with innodb_native_foreign_keys=ON; the stream then goes on by itself at its next start"}
}
