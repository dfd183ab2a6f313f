package testmysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/binseal/binseal/grants"
)

// Run executes statements as root, in order, on one connection.
func (s *Server) Run(ctx context.Context, statements ...string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("server %s: %w", s.Name, err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("server %s: %s: %w", s.Name, shorten(statement), err)
		}
	}
	return nil
}

// shorten keeps an error readable, since test statements may hold megabytes, and passwords out of it.
func shorten(statement string) string {
	if before, _, found := strings.Cut(statement, " IDENTIFIED "); found {
		return before + " IDENTIFIED …"
	}
	if len(statement) > 300 {
		return statement[:300] + "…"
	}
	return statement
}

// Query runs a query as root and returns its rows as text, NULL as "NULL".
func (s *Server) Query(ctx context.Context, query string, args ...any) ([][]string, error) {
	rows, err := queryText(ctx, s.db, query, args...)
	if err != nil {
		return nil, fmt.Errorf("server %s: %s: %w", s.Name, shorten(query), err)
	}
	return rows, nil
}

// querier is a pool or one of its connections.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// queryText gives a query's rows as text, NULL as "NULL".
func queryText(ctx context.Context, q querier, query string, args ...any) ([][]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = v.String; !v.Valid {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// LogEnd is the end of the server's binary log, and its GTIDs where it has any.
func (s *Server) LogEnd(ctx context.Context) (file string, pos uint64, gtids string, err error) {
	query := "SHOW BINARY LOG STATUS"
	if s.Kind != Newest {
		query = "SHOW MASTER STATUS"
	}
	rows, err := s.Query(ctx, query)
	if err != nil {
		return "", 0, "", err
	}
	if len(rows) != 1 {
		return "", 0, "", fmt.Errorf("server %s: no binary log", s.Name)
	}
	if pos, err = strconv.ParseUint(rows[0][1], 10, 64); err != nil {
		return "", 0, "", fmt.Errorf("server %s: position %q: %w", s.Name, rows[0][1], err)
	}
	if s.Kind != MariaDB {
		return rows[0][0], pos, rows[0][4], nil
	}
	end, err := s.Query(ctx, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return "", 0, "", err
	}
	return rows[0][0], pos, end[0][0], nil
}

// CreateReplicationUser makes the account that the daemon uses on a source, by the statements that `binseal print
// grants-source` prints.
func (s *Server) CreateReplicationUser(ctx context.Context, user, password string) error {
	return s.Run(ctx, s.replicationUser(user, password)...)
}

// replicationUser are the statements that make it.
func (s *Server) replicationUser(user, password string) []string {
	return grants.Source(s.login(user, password), s.Kind == MariaDB, []string{"%"})
}

// CreateApplierUser makes the account that the daemon uses on a target, by the statements that `binseal print
// grants-target` prints: less than Aurora's master user has.
func (s *Server) CreateApplierUser(ctx context.Context, user, password string, schemas ...string) error {
	return s.Run(ctx, s.applierUser(user, password, schemas...)...)
}

func (s *Server) applierUser(user, password string, schemas ...string) []string {
	return grants.Target(s.login(user, password), schemas)
}

// login insists on TLS where the server has it.
func (s *Server) login(user, password string) grants.Login {
	return grants.Login{User: user, Password: password, Plain: s.options.NoTLS, Old: s.Kind == MySQL56}
}

func account(user string) string { return quoteText(user) + "@'%'" }

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}
