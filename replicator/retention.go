package replicator

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/binseal/binseal/mysqlconn"
)

// Retention is how long a source keeps its log.
type Retention struct {
	Known   bool
	Forever bool
	Keep    time.Duration // At least; 0 with Known: a file may go as soon as nobody reads it.
}

const (
	errNoProcedure = 1305 // ER_SP_DOES_NOT_EXIST
	errNoExecute   = 1370 // ER_PROCACCESS_DENIED_ERROR
)

// AskRetention asks a source how long it keeps its log. On RDS and Aurora a procedure tells ("binlog retention hours"; NULL is
// none on RDS for MySQL, and on Aurora a clean-up in its own time, of which nothing is known), elsewhere variables do.
func AskRetention(ctx context.Context, s *mysqlconn.Session) (Retention, error) {
	hours, managed, err := rdsRetention(ctx, s)
	if err != nil {
		return Retention{}, err
	}
	vars, err := retentionVariables(ctx, s)
	if err != nil {
		return Retention{}, err
	}
	_, aurora := vars["aurora_version"]
	switch {
	case managed:
		return ofHours(hours, aurora), nil
	case aurora, strings.HasPrefix(vars["basedir"], "/rdsdbbin"):
		return Retention{}, nil // The account may not ask, and the variables say nothing of what RDS does.
	}
	return ofVariables(vars), nil
}

// rdsRetention asks RDS's own procedure; managed is false where there is none.
func rdsRetention(ctx context.Context, s *mysqlconn.Session) (hours string, managed bool, err error) {
	rows, err := s.QueryContext(ctx, origin+"CALL mysql.rds_show_configuration")
	if n, _ := mysqlconn.Number(err); n == errNoProcedure || n == errNoExecute { // The latter also where there is none.
		return "", false, nil
	}
	if err != nil {
		return "", false, mysqlconn.Describe("source", "ask for its retention", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value, about *string
		if err := rows.Scan(&name, &value, &about); err != nil {
			return "", true, mysqlconn.Describe("source", "ask for its retention", err)
		}
		if name == "binlog retention hours" && value != nil {
			hours = *value
		}
	}
	if err := rows.Err(); err != nil {
		return "", true, mysqlconn.Describe("source", "ask for its retention", err)
	}
	return hours, true, nil
}

func ofHours(hours string, aurora bool) Retention {
	n, err := strconv.Atoi(hours)
	return Retention{Known: err == nil || hours == "" && !aurora, Keep: time.Duration(n) * time.Hour}
}

func retentionVariables(ctx context.Context, q querier) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, origin+"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds','binlog_expire_logs_auto_purge','expire_logs_days','aurora_version','basedir')")
	if err != nil {
		return nil, mysqlconn.Describe("source", "ask for its retention", err)
	}
	defer rows.Close()
	vars := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, mysqlconn.Describe("source", "ask for its retention", err)
		}
		vars[name] = value
	}
	return vars, mysqlconn.Describe("source", "ask for its retention", rows.Err())
}

func ofVariables(vars map[string]string) Retention {
	seconds, has := vars["binlog_expire_logs_seconds"]
	days, old := vars["expire_logs_days"]
	n, errSeconds := strconv.ParseInt(seconds, 10, 64)
	d, errDays := strconv.ParseFloat(days, 64) // MariaDB has fractions of a day.
	switch {
	case strings.EqualFold(vars["binlog_expire_logs_auto_purge"], "OFF"):
		return Retention{Known: true, Forever: true}
	case has && errSeconds == nil && n > 0:
		return Retention{Known: true, Keep: time.Duration(n) * time.Second}
	case old && errDays == nil && d > 0:
		return Retention{Known: true, Keep: time.Duration(d * 24 * float64(time.Hour))}
	case has && errSeconds == nil, old && errDays == nil:
		return Retention{Known: true, Forever: true}
	}
	return Retention{}
}
