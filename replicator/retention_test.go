package replicator

import (
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/mysqlconn"
)

func TestRetentionOfVariables(t *testing.T) {
	for name, c := range map[string]struct {
		vars map[string]string
		want Retention
	}{
		"30 days, the default":      {map[string]string{"binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "ON"}, Retention{Known: true, Keep: 720 * time.Hour}},
		"0 is for ever":             {map[string]string{"binlog_expire_logs_seconds": "0", "expire_logs_days": "0"}, Retention{Known: true, Forever: true}},
		"no automatic purge":        {map[string]string{"binlog_expire_logs_seconds": "3600", "binlog_expire_logs_auto_purge": "OFF"}, Retention{Known: true, Forever: true}},
		"8.0 with the old variable": {map[string]string{"binlog_expire_logs_seconds": "0", "expire_logs_days": "3"}, Retention{Known: true, Keep: 72 * time.Hour}},
		"5.6":                       {map[string]string{"expire_logs_days": "2"}, Retention{Known: true, Keep: 48 * time.Hour}},
		"MariaDB, half a day":       {map[string]string{"expire_logs_days": "0.500000"}, Retention{Known: true, Keep: 12 * time.Hour}},
		"neither":                   {map[string]string{}, Retention{}},
	} {
		if got := ofVariables(c.vars); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		hours  string
		aurora bool
		want   Retention
	}{
		"set": {"24", true, Retention{Known: true, Keep: 24 * time.Hour}}, "RDS, not set": {"", false, Retention{Known: true}}, "Aurora, not set": {"", true, Retention{}},
	} {
		if got := ofHours(c.hours, c.aurora); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// The procedure of RDS is a stub here: its form is that of the RDS guide, "mysql.rds_show_configuration".
func TestRetentionOfAServer(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	ask := func(want Retention) {
		t.Helper()
		session, err := endpoint(t, s, "").Open(t.Context(), mysqlconn.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if got, err := AskRetention(t.Context(), session); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		if _, err := End(t.Context(), session); err != nil { // What the procedure answers is read to its end.
			t.Error(err)
		}
	}
	ask(Retention{Known: true, Keep: 720 * time.Hour})
	s.Exec(t, `CREATE PROCEDURE mysql.rds_show_configuration() SELECT 'binlog retention hours' AS name, '48' AS value, 'binlog retention hours specifies the duration in hours before binary logs are automatically deleted.' AS description`)
	ask(Retention{Known: true, Keep: 720 * time.Hour}) // No EXECUTE on it, and by its folder it is not of RDS.
	s.Exec(t, "GRANT EXECUTE ON PROCEDURE mysql.rds_show_configuration TO "+replUser)
	ask(Retention{Known: true, Keep: 48 * time.Hour})
}
