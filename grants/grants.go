// Package grants has the privileges that the accounts on both servers need, and no more, as statements. `binseal print`
// prints them, preflight compares accounts with them, and the tests and the demo make their accounts by them.
package grants

import (
	"fmt"
	"slices"
	"strings"
)

// The privileges of the account on the target. An account with exactly these applied every case of a row-based stream.
var (
	Rows    = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	DDL     = []string{"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES", "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE"}
	See     = []string{"TRIGGER"}                                                         // So that the stream halts at a table with triggers, which would fire again unseen else.
	Control = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"} // The last two for the marker tables of RENAME.
)

// ControlSchema holds the progress table on the target (DESIGN.md §2).
const ControlSchema = "binseal"

// Login is how the account proves who it is.
type Login struct {
	User, Host string // Host "" is "%".
	Password   string // In the statement as it is; "" lets the server choose one and tell it once (MySQL 8.0.18).
	IAM        bool   // By a token of RDS.
	Plain      bool   // Without REQUIRE SSL: for servers of tests that have no TLS.
	Old        bool   // The server is older than 5.7, where CREATE USER knows no REQUIRE.
}

// account is 'user'@'host'.
func (l Login) account() string {
	host := l.Host
	if host == "" {
		host = "%"
	}
	return quoteText(l.User) + "@" + quoteText(host)
}

// create makes the account. It insists on TLS: else a client that lost its settings would send the password in clear.
func (l Login) create() string {
	how := " IDENTIFIED BY " + quoteText(l.Password)
	switch {
	case l.IAM:
		how = " IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
	case l.Password == "":
		how = " IDENTIFIED BY RANDOM PASSWORD"
	}
	verb := "CREATE USER "
	if l.Old {
		verb = "GRANT USAGE ON *.* TO "
	}
	if l.Plain {
		return verb + l.account() + how
	}
	return verb + l.account() + how + " REQUIRE SSL"
}

// Log are the global privileges that read the binary log and ask for its end. MariaDB calls the second so since 10.5.
func Log(mariaDB bool) []string {
	if mariaDB {
		return []string{"REPLICATION SLAVE", "BINLOG MONITOR"}
	}
	return []string{"REPLICATION SLAVE", "REPLICATION CLIENT"}
}

// Source are the statements that make the account on the source. schemas are names, or patterns of GRANT, whose tables
// are replicated: SELECT is needed to compare definitions, not to stream. "%" is all.
func Source(l Login, mariaDB bool, schemas []string) []string {
	all := []string{l.create(), fmt.Sprintf("GRANT %s ON *.* TO %s", strings.Join(Log(mariaDB), ", "), l.account())}
	for _, s := range schemas {
		all = append(all, fmt.Sprintf("GRANT SELECT ON %s TO %s", scope(s), l.account()))
	}
	return all
}

// Target are the statements that make the account on the target: reads, writes and DDL on the schemas and on the control
// schema, and nothing global: no SUPER, no SESSION_VARIABLES_ADMIN, no PROCESS. The account can list and kill its own
// sessions without.
func Target(l Login, schemas []string) []string {
	all := []string{l.create(), fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(Control, ", "), scope(ControlSchema), l.account())}
	for _, s := range schemas {
		all = append(all, Schema(s, l.account()))
	}
	return all
}

// Retention lets the account on a source of RDS or Aurora ask how long the log is kept.
func Retention(l Login) string {
	return "GRANT EXECUTE ON PROCEDURE mysql.rds_show_configuration TO " + l.account()
}

// Schema gives an account, as GRANT writes it, what it needs on one schema of the target.
func Schema(schema, account string) string {
	return fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(slices.Concat(Rows, DDL, See), ", "), scope(schema), account)
}

// scope is all tables of a schema; of all schemas for "%".
func scope(schema string) string {
	if schema == "%" {
		return "*.*"
	}
	return "`" + strings.ReplaceAll(schema, "`", "``") + "`.*"
}

// Pattern turns a pattern of the config, with * and ?, into one of GRANT, where a plain _ would match any character.
func Pattern(glob string) string {
	var b strings.Builder
	for _, c := range glob {
		switch c {
		case '*':
			b.WriteByte('%')
		case '?':
			b.WriteByte('_')
		case '_', '%', '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}
