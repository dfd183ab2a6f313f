package preflight

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
)

// querier is the part of a session that reading needs.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// server is what one server told: the rules look at this alone, so that they can be tested without one.
type server struct {
	leg        string
	version    string // @@version
	user       string // CURRENT_USER(): the account whose privileges count.
	tlsVersion string // As the server reports it for this session.
	tlsCipher  string
	vars       map[string]string // Global variables by name; absent where this server does not have one.
	grants     []grant
	logFilter  string        // Binlog_Do_DB and Binlog_Ignore_DB, "" when none or not readable.
	replicas   []uint32      // Server ids of the replicas that are registered.
	rdsTold    bool          // RDS's procedure has told its settings:
	rdsHours   string        // "binlog retention hours", "" for NULL.
	clock      time.Duration // The server's clock minus ours, within clockError.
	clockError time.Duration
	oldest     *transaction    // The oldest open transaction; nil when there is none, or it cannot be seen.
	pastFence  []string        // Accounts that write also when the server is read_only; only where mysql.user may be read.
	definers   []string        // Views and routines of included schemas, "schema.name: definer".
	zones      map[string]bool // Whether it knows time zones by name; of the target.
	logFiles   int             // Of the log, and their bytes; of the source.
	logBytes   uint64
	enhanced   bool              // Aurora's enhanced binlog.
	ours       []uint32          // Those of them that are binseal's.
	blind      bool              // The account may not see which replicas are registered.
	tables     map[string]*table // Included base tables by "schema.table", as the server itself names them.
	events     []string          // Enabled events, "schema.event"; only those that the account may see.
}

// variables are the settings that the rules ask for.
var variables = []string{
	"aurora_version", "basedir", "binlog_checksum", "binlog_encryption", "binlog_expire_logs_auto_purge",
	"binlog_expire_logs_seconds", "binlog_format", "binlog_row_image", "binlog_row_metadata",
	"binlog_row_value_options", "default_storage_engine", "default_table_encryption", "event_scheduler",
	"expire_logs_days", "gtid_mode", "innodb_native_foreign_keys", "innodb_read_only", "innodb_redo_log_encrypt",
	"innodb_undo_log_encrypt", "log_bin", "lower_case_table_names", "max_allowed_packet", "read_only",
	"require_secure_transport", "local_infile", "server_id", "server_uuid", "sql_require_primary_key", "super_read_only", "time_zone",
	// Of MariaDB.
	"encrypt_binlog", "gtid_binlog_state", "gtid_slave_pos", "gtid_strict_mode", "log_slave_updates", "mysql56_temporal_format",
	"old_mode", "wsrep_gtid_mode", "wsrep_on",
}

// on reports whether a switch is on, in any of the server's spellings.
func (s *server) on(name string) bool {
	v := s.vars[name]
	return strings.EqualFold(v, "ON") || v == "1"
}

// number reads a numeric variable; ok is false when the server does not have it.
func (s *server) number(name string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(s.vars[name], 10, 64)
	return n, err == nil
}

func (s *server) mariaDB() bool { return strings.Contains(strings.ToLower(s.version), "mariadb") }

// major is the version as major*100+minor: 800 for 8.0, 907 for 9.7; 0 when it cannot be read.
func (s *server) major() int {
	parts := strings.SplitN(s.version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil {
		return 0
	}
	return a*100 + b
}

// managed reports whether the server is run by RDS or Aurora, where some facts are in procedures and cloud APIs.
func (s *server) managed() bool {
	_, aurora := s.vars["aurora_version"]
	return aurora || strings.HasPrefix(s.vars["basedir"], "/rdsdbbin")
}

// account is the user as GRANT writes it: 'name'@'host'.
func (s *server) account() string {
	at := strings.LastIndexByte(s.user, '@')
	if at < 0 {
		return quoteText(s.user)
	}
	return quoteText(s.user[:at]) + "@" + quoteText(s.user[at+1:])
}

func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// readServer asks q for everything. What an account may not see (replicas, triggers, events) is left empty; the
// rules know from the grants whether empty means none.
func readServer(ctx context.Context, q querier, leg string, included included) (*server, error) {
	s := &server{leg: leg, vars: map[string]string{}, tables: map[string]*table{}}
	if err := each(ctx, q, "SELECT @@version, CURRENT_USER()", func(row []string) {
		s.version, s.user = row[0], row[1]
	}); err != nil {
		return nil, err
	}
	if err := s.readVariables(ctx, q, variables); err != nil {
		return nil, err
	}
	if err := each(ctx, q, "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version','Ssl_cipher')", func(row []string) {
		if row[0] == "Ssl_version" {
			s.tlsVersion = row[1]
		} else {
			s.tlsCipher = row[1]
		}
	}); err != nil {
		return nil, err
	}
	if s.mariaDB() && leg == "target" { // It is refused as a target.
		return s, nil
	}
	if err := each(ctx, q, "SHOW GRANTS", func(row []string) {
		if g, ok := parseGrant(row[0]); ok {
			s.grants = append(s.grants, g)
		}
	}); err != nil {
		return nil, err
	}
	if err := s.readTables(ctx, q, included); err != nil {
		return nil, err
	}
	s.readReplication(ctx, q)
	return s, s.readHazards(ctx, q)
}

func (s *server) readVariables(ctx context.Context, q querier, names []string) error {
	list := "'" + strings.Join(names, "','") + "'"
	return each(ctx, q, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+list+")", func(row []string) { s.vars[row[0]] = row[1] })
}

// readReplication reads what needs the replication privileges. An account without them gets errors here; the
// privilege rule reports that, so the errors themselves are not.
func (s *server) readReplication(ctx context.Context, q querier) {
	status, replicas := "SHOW BINARY LOG STATUS", "SHOW REPLICAS" // 8.2 and 8.0.22 on; before that, the old words.
	if s.mariaDB() || s.major() < 804 {
		status, replicas = "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"
	}
	_ = eachNamed(ctx, q, status, func(row map[string]string) {
		s.logFilter = strings.Trim(row["Binlog_Do_DB"]+" "+row["Binlog_Ignore_DB"], " ")
	})
	s.rdsTold = eachNamed(ctx, q, "CALL mysql.rds_show_configuration", func(row map[string]string) {
		if row["name"] == "binlog retention hours" {
			s.rdsHours = row["value"]
		}
	}) == nil
	err := eachNamed(ctx, q, replicas, func(row map[string]string) {
		if id, err := strconv.ParseUint(row["Server_Id"]+row["Server_id"], 10, 32); err == nil {
			s.replicas = append(s.replicas, uint32(id))
			if row["Replica_UUID"]+row["Slave_UUID"] == change.ReplicaUUID(uint32(id)).String() {
				s.ours = append(s.ours, uint32(id))
			}
		}
	})
	s.blind = err != nil
}

// each runs a query and hands over its rows as text; NULL is "".
func each(ctx context.Context, q querier, query string, use func(row []string)) error {
	return scan(ctx, q, query, func(_, row []string) { use(row) })
}

// eachNamed is each for statements whose columns differ between versions.
func eachNamed(ctx context.Context, q querier, query string, use func(row map[string]string)) error {
	return scan(ctx, q, query, func(columns, row []string) {
		named := make(map[string]string, len(row))
		for i, name := range columns {
			named[name] = row[i]
		}
		use(named)
	})
}

func scan(ctx context.Context, q querier, query string, use func(columns, row []string)) (err error) {
	rows, err := q.QueryContext(ctx, "/* binseal check */ "+query)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(strings.Fields(query)[:2], " "), err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	cells := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = c.String
		}
		use(columns, row)
	}
	return rows.Err()
}
