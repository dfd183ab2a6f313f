package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// clockLimit: beyond it certificates and tokens that are about to begin or end are judged wrongly, and AWS refuses
	// signatures at five minutes.
	clockLimit = 5 * time.Second
	// longTransaction is open for longer than a stream's epoch ever is.
	longTransaction = time.Minute
)

// transaction is one that is open on a server.
type transaction struct {
	age  time.Duration
	id   string // Of its connection.
	rows uint64 // That it has changed.
}

// readHazards asks for what may spoil a stream or a cutover beside settings and definitions. What the account may not see
// is left empty; the rules know by the grants.
func (s *server) readHazards(ctx context.Context, q querier) error {
	asked := time.Now()
	err := each(ctx, q, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)", func(row []string) {
		if t, err := time.Parse("2006-01-02 15:04:05.000000", row[0]); err == nil {
			s.clockError = time.Since(asked) / 2
			s.clock = t.Sub(asked.Add(s.clockError))
		}
	})
	if err != nil {
		return err
	}
	s.readOpen(ctx, q)
	if s.leg != "source" {
		return nil
	}
	_ = each(ctx, q, "SHOW STATUS LIKE 'aurora_enhanced_binlog'", func(row []string) { s.enhanced = strings.EqualFold(row[1], "ACTIVE") })
	_ = each(ctx, q, "SHOW BINARY LOGS", func(row []string) {
		n, _ := strconv.ParseUint(row[1], 10, 64)
		s.logFiles, s.logBytes = s.logFiles+1, s.logBytes+n
	})
	// Without SELECT on mysql.user only one's own account is seen.
	_ = each(ctx, q, "SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('SUPER','CONNECTION_ADMIN','READ_ONLY ADMIN')"+
		" AND GRANTEE NOT LIKE '''mysql.%' AND GRANTEE NOT LIKE '''rdsadmin''%' ORDER BY GRANTEE", func(row []string) { s.pastFence = append(s.pastFence, row[0]) })
	if len(s.tables) == 0 {
		return nil
	}
	for _, of := range []string{"SELECT TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN ", "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN "} {
		if err := each(ctx, q, of+s.schemaList(), func(row []string) { s.definers = append(s.definers, row[0]+"."+row[1]+": "+row[2]) }); err != nil {
			return err
		}
	}
	slices.Sort(s.definers)
	return nil
}

// readOpen finds the oldest open transaction; it needs PROCESS.
func (s *server) readOpen(ctx context.Context, q querier) {
	_ = each(ctx, q, "SELECT TIMESTAMPDIFF(SECOND, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00'), UTC_TIMESTAMP()), trx_mysql_thread_id, trx_rows_modified FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id<>0 ORDER BY trx_started LIMIT 1", func(row []string) {
		seconds, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			return
		}
		rows, _ := strconv.ParseUint(row[2], 10, 64)
		s.oldest = &transaction{age: time.Duration(seconds) * time.Second, id: row[1], rows: rows}
	})
}

// upper is a leg as finding codes begin.
func (s *server) upper() string { return strings.ToUpper(s.leg) }

func (c *checker) clock(s *server) {
	off := s.clock.Abs() - s.clockError
	c.want(off <= clockLimit, Finding{
		Code: s.upper() + "_CLOCK", Severity: Warn, Seen: fmt.Sprintf("its clock differs from this machine's by %s (± %s)", s.clock.Round(time.Millisecond), s.clockError.Round(time.Millisecond)),
		Why: "lag is told by the source's clock; certificates, tokens and AWS's signatures are judged by this machine's",
		Fix: "let both follow one time service (chronyc tracking; RDS and Aurora follow Amazon's)",
	})
}

func (c *checker) longTransactions(s *server) {
	if !s.may("PROCESS", "*", "*") {
		return // Not needed for the stream: cutover asks again, as an administrator.
	}
	t := s.oldest
	if t == nil {
		t = &transaction{}
	}
	why := "its changes reach the log at its COMMIT only, all at once; a cutover waits for it"
	if s.leg == "target" {
		why = "it may hold locks on rows that the stream writes, which then waits for 10 s and starts again"
	}
	end := "KILL " + t.id
	if s.managed() {
		end = "CALL mysql.rds_kill(" + t.id + ")"
	}
	c.want(t.age < cmp.Or(c.options.LongTransaction, longTransaction), Finding{
		Code: s.upper() + "_LONG_TRANSACTION", Severity: Warn, Seen: choose(t.id == "", "no open transaction", fmt.Sprintf("connection %s has had a transaction open for %s, with %d changed rows", t.id, t.age, t.rows)),
		Why: why, Fix: "end it, or " + end,
	})
}

// sourceHazards checks what stands in the way of a cutover, and Aurora's own.
func (c *checker) sourceHazards(s *server) {
	_, aurora := s.vars["aurora_version"]
	c.want(!aurora || !s.on("innodb_read_only"), Finding{
		Code: "SOURCE_READER", Severity: Must, Seen: choose(s.on("innodb_read_only"), "innodb_read_only=ON: a reader of its cluster", "a writer"),
		Why: "readers of Aurora have no binary log", Fix: "use the cluster endpoint in source.addr",
	})
	c.want(true, Finding{Code: "SOURCE_LOG_SPACE", Seen: fmt.Sprintf("the log takes %.1f GiB in %s; whether its disk has room for a longer retention SQL does not show",
		float64(s.logBytes)/(1<<30), count(s.logFiles, "file"))})
	c.want(!s.enhanced, Finding{
		Code: "SOURCE_ENHANCED_BINLOG", Severity: Warn, Seen: "aurora_enhanced_binlog is " + choose(s.enhanced, "ACTIVE", "not active"),
		Why: "a restored or cloned cluster then has no history and begins at mysql-bin-changelog.000001 again, and before Aurora MySQL 8.4.8 an event of RDS may name a wrong position (its release notes)",
		Fix: "start at a GTID set, not at the position of an event; expect to load anew after a restore, a clone or a global failover",
	})
	c.want(len(s.pastFence) == 0, Finding{
		Code: "SOURCE_WRITES_PAST_READ_ONLY", Severity: Info, Objects: s.pastFence,
		Seen: choose(len(s.pastFence) == 0, "no account that can be seen writes past read_only", count(len(s.pastFence), "account")+" with SUPER, CONNECTION_ADMIN or READ_ONLY ADMIN"),
		Why:  "read_only=ON at cutover does not stop them; an Aurora cluster's master user is one of them",
		Fix:  "at cutover use super_read_only=ON where the server has it, or lock these accounts (ALTER USER … ACCOUNT LOCK) and end their sessions",
	})
	c.want(len(s.definers) == 0, Finding{
		Code: "SOURCE_DEFINERS", Severity: Info, Objects: s.definers,
		Seen: count(len(s.definers), "definer") + " of views and routines in included schemas",
		Why:  "those that the log creates anew have the applier's account as their definer on the target, and run with its rights; those of the initial load need their definers' accounts there",
		Fix:  "create the definers' accounts on the target before cutover (mysqlpump --users, SHOW CREATE USER), and define the views and routines anew as they are on the source",
	})
}

// knownZones asks the target whether it knows the zone that the source's clock is in.
func (c *checker) knownZones(ctx context.Context, q querier, target *server) error {
	target.zones = map[string]bool{}
	for _, zone := range []string{"UTC", "Europe/Berlin"} {
		if err := each(ctx, q, "SELECT CONVERT_TZ('2026-01-01 00:00:00', '+00:00', '"+zone+"') IS NOT NULL", func(row []string) { target.zones[zone] = row[0] == "1" }); err != nil {
			return err
		}
	}
	return nil
}

// timeZones: a statement that ran in a session with a named time zone must run in one here.
func (c *checker) timeZones(source, target *server) {
	zone := source.vars["time_zone"]
	named := zone != "" && zone != "SYSTEM" && !strings.HasPrefix(zone, "+") && !strings.HasPrefix(zone, "-")
	loaded := target.zones["UTC"] && target.zones["Europe/Berlin"]
	severity := Info
	if named {
		severity = Warn
	}
	c.want(loaded, Finding{
		Code: "TARGET_TIME_ZONES", Severity: severity, Seen: choose(loaded, "the target has the tables of time zones", "the target has no tables of time zones; the source's time_zone is "+zone),
		Why: "DDL of a session in a named time zone runs in that zone on the target, and halts the stream where the zone is not known",
		Fix: "mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql on the target (RDS and Aurora have them)",
	})
}
