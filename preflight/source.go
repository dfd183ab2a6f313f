package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/binseal/binseal/grants"
	"github.com/binseal/binseal/tlsconf"
)

// minRetention is how long the source should keep its logs: a stream that stands for a night and a day's work
// must still find its place.
const minRetention = 24 * 3600 // Seconds.

// sourceTLS warns of a connection that only tls.legacy allows.
func (c *checker) sourceTLS(e tlsconf.Evidence) {
	c.want(!e.Weak, Finding{
		Code: "SOURCE_TLS_WEAK", Severity: Warn, Seen: choose(e.Weak, "WEAK: "+e.WeakReason, e.Version+", "+e.Cipher),
		Why: "the source is verified, but who records the traffic can read it once he has the server's key, and TLS before 1.2 has known weaknesses",
		Fix: "stream from a replica of this server that speaks TLS 1.2, and leave source.tls.legacy out; else lead this leg through a tunnel of your own",
	})
}

// setting is the fix that sets a variable for good: before 8.0, and in MariaDB, a server does not keep it over a restart
// by itself.
//
// On RDS and Aurora no account may: there it is a parameter of the group.
func (s *server) setting(name, value string) string {
	if s.managed() {
		return fmt.Sprintf("%s=%s in the parameter group (of the cluster, on Aurora); a static parameter needs a reboot", name, value)
	}
	if s.mariaDB() || s.major() < 800 {
		return fmt.Sprintf("SET GLOBAL %s=%s, and the same in my.cnf", name, value)
	}
	return fmt.Sprintf("SET PERSIST %s=%s", name, value)
}

// sourceVersion tells what the log of an older server lacks.
func (c *checker) sourceVersion(s *server) {
	if s.major() < 506 {
		c.want(false, Finding{
			Code: "SOURCE_VERSION", Severity: Must, Seen: s.version,
			Why: "servers before 5.6 are not read", Fix: "stream from MySQL 5.6 or later",
		})
		return
	}
	c.want(s.major() >= 800, Finding{
		Code: "SOURCE_VERSION", Severity: Warn, Seen: s.version,
		Why: "servers before 8.0 log neither sign nor character set of a column: they are taken from the target's table, and one that is different there is not noticed",
		Fix: "make sure that the target's tables have the source's definitions; 5.6 has been run against a server, 5.7 has not",
	})
}

// sourceSettings checks that the source writes a log from which rows can be copied.
func (c *checker) sourceSettings(s *server) {
	if s.mariaDB() {
		c.mariadbVersion(s)
	} else {
		c.sourceVersion(s)
	}
	c.sourceLog(s)
	c.sourceMetadata(s)
	if s.mariaDB() {
		c.mariadbSettings(s)
	} else {
		c.sourceParts(s)
		c.sourceGTID(s)
	}
	c.sourceRetention(s)
	c.sourceIdentity(s)
}

// sourceParts warns of JSON documents that are logged in parts where the rows' images do not show them.
func (c *checker) sourceParts(s *server) {
	options, image := s.vars["binlog_row_value_options"], s.vars["binlog_row_image"]
	c.want(options == "" || !strings.EqualFold(image, "MINIMAL"), Finding{
		Code: "SOURCE_ROW_VALUE_OPTIONS", Severity: Warn, Seen: "binlog_row_value_options=" + options + " with binlog_row_image=" + image,
		Why: "the log then holds differences to JSON documents that it does not show: they change what the target has, and a document that differs there already is noticed only where a path is missing",
		Fix: s.setting("binlog_row_image", "FULL") + ", with which differences are made whole before they are applied; or " + s.setting("binlog_row_value_options", "''"),
	})
}

// sourceLog checks that there is a log, of whole rows that can be trusted.
func (c *checker) sourceLog(s *server) {
	c.want(s.on("log_bin"), Finding{
		Code: "SOURCE_LOG_BIN", Severity: Must, Seen: "log_bin=" + s.vars["log_bin"],
		Why: "without a binary log there is nothing to stream",
		Fix: "start mysqld with --log-bin (RDS: backup retention above 0; Aurora: binlog_format=ROW in the cluster parameter group, and a reboot)",
	})
	// A server that has dropped the variable logs rows only.
	format, known := s.vars["binlog_format"]
	c.want(!known || strings.EqualFold(format, "ROW"), Finding{
		Code: "SOURCE_BINLOG_FORMAT", Severity: Must, Seen: "binlog_format=" + format,
		Why: "statements give other rows on another server; the stream halts at the first one",
		Fix: s.setting("binlog_format", "ROW") + "; sessions that are open keep the old format: close them",
	})
	image, known := s.vars["binlog_row_image"]
	c.want(!known || strings.EqualFold(image, "FULL"), Finding{
		Code: "SOURCE_ROW_IMAGE", Severity: Warn, Seen: "binlog_row_image=" + image,
		Why: "partial row images cannot be merged: their tables are applied in order, row by row; a row whose key or computed default is not in the image halts the stream",
		Fix: s.setting("binlog_row_image", "FULL") + "; sessions that are open keep the old value: close them",
	})
	c.want(!strings.EqualFold(s.vars["binlog_checksum"], "NONE"), Finding{
		Code: "SOURCE_CHECKSUM", Severity: Warn, Seen: "binlog_checksum=" + s.vars["binlog_checksum"],
		Why: "an event damaged on the source's disk would not be noticed",
		Fix: s.setting("binlog_checksum", "CRC32"),
	})
}

// sourceMetadata checks what the log tells of columns beside their types.
func (c *checker) sourceMetadata(s *server) {
	metadata, known := s.vars["binlog_row_metadata"]
	why := "without column names in the log, a target whose columns stand in another order but have the same types is not noticed"
	if strings.EqualFold(metadata, "NO_LOG") {
		why = "the log then has neither sign, character set nor name of a column: they are taken from the target's table, and one that is different there is not noticed"
	}
	c.want(strings.EqualFold(metadata, "FULL"), Finding{
		Code: "SOURCE_ROW_METADATA", Severity: Warn, Seen: choose(known, "binlog_row_metadata="+metadata, "no column names in the log before 8.0.1"),
		Why: why,
		Fix: choose(known, s.setting("binlog_row_metadata", "FULL"), "make sure that the columns of the target's tables stand in the source's order"),
	})
}

func (c *checker) sourceGTID(s *server) {
	severity := Warn
	if c.options.ByGTID {
		severity = Must
	}
	fix := "SET PERSIST enforce_gtid_consistency=ON; then gtid_mode to OFF_PERMISSIVE, ON_PERMISSIVE and ON, one after the other"
	if s.managed() {
		fix = "enforce_gtid_consistency=ON and gtid-mode=ON in the parameter group, through OFF_PERMISSIVE and ON_PERMISSIVE, a reboot each"
	}
	if s.major() < 507 {
		fix = "start mysqld with gtid_mode=ON, enforce-gtid-consistency and log-slave-updates: 5.6 cannot be switched while it runs"
	}
	c.want(s.on("gtid_mode"), Finding{
		Code: "SOURCE_GTID_MODE", Severity: severity, Seen: "gtid_mode=" + s.vars["gtid_mode"],
		Why: "without GTIDs a position means nothing on another server, so the stream cannot follow a failover of the source, " +
			"and start: {gtid: …} cannot be served",
		Fix: fix,
	})
}

func (c *checker) sourceRetention(s *server) {
	if s.managed() || s.rdsTold {
		c.managedRetention(s)
		return
	}
	auto, known := s.vars["binlog_expire_logs_auto_purge"]
	seconds, has := s.number("binlog_expire_logs_seconds")
	forever := known && strings.EqualFold(auto, "OFF") || has && seconds == 0
	seen := fmt.Sprintf("binlog_expire_logs_seconds=%d", seconds)
	if days, old := s.number("expire_logs_days"); old && (days > 0 || !has) { // Before 8.0 it stands alone, and 0 is for ever.
		forever, seconds, seen = days == 0, days*86400, fmt.Sprintf("expire_logs_days=%d", days)
	}
	c.want(forever || seconds >= minRetention, Finding{
		Code: "SOURCE_RETENTION", Severity: Warn, Seen: seen,
		Why: "a stream that stands for longer than the logs are kept has to be set up again",
		Fix: choose(has, s.setting("binlog_expire_logs_seconds", "259200"), s.setting("expire_logs_days", "3")),
	})
}

// managedRetention: on RDS and Aurora a procedure tells. NULL is no retention on RDS for MySQL, where a log goes as soon as
// it is backed up, and a clean-up in its own time on Aurora.
func (c *checker) managedRetention(s *server) {
	const set = "CALL mysql.rds_set_configuration('binlog retention hours', 72)"
	f := Finding{Code: "SOURCE_RETENTION", Severity: Warn, Fix: set, Why: "a stream that stands for longer than the logs are kept has to be set up again"}
	_, aurora := s.vars["aurora_version"]
	hours, err := strconv.Atoi(s.rdsHours)
	switch {
	case !s.rdsTold:
		f.Seen = "unverified: on RDS and Aurora a procedure tells how long logs are kept, and the account may not call it"
		f.Fix = "GRANT EXECUTE ON PROCEDURE mysql.rds_show_configuration TO " + s.account() + "; then, if it is below 24, " + set
	case err != nil && !aurora:
		f.Severity, f.Seen = Must, "binlog retention hours is NULL: RDS purges a log as soon as it is backed up"
	case err != nil:
		f.Seen = "binlog retention hours is NULL: Aurora purges logs in its own time"
	default:
		f.Seen = fmt.Sprintf("binlog retention hours is %d", hours)
	}
	c.want(err == nil && hours*3600 >= minRetention, f)
}

func (c *checker) sourceIdentity(s *server) {
	id, _ := s.number("server_id")
	c.want(id != 0 && id != uint64(c.options.ServerID), Finding{
		Code: "SOURCE_SERVER_ID", Severity: Must, Seen: fmt.Sprintf("server_id=%d, the stream's is %d", id, c.options.ServerID),
		Why: "a source with server_id 0 refuses replicas, and one with the stream's own id takes its connection for its own",
		Fix: "set source.server_id in the config to a number that no server of the topology has (and server_id on the source, if it is 0)",
	})
	if s.blind {
		c.want(false, Finding{
			Code: "SOURCE_SERVER_ID_TAKEN", Severity: Info, Seen: "unverified: the account on the source may not see which replicas are registered",
			Why: "two replicas with one id end each other's connection, without end",
			Fix: "look at SHOW SLAVE HOSTS as an administrator: no server may have the stream's id, " + fmt.Sprint(c.options.ServerID),
		})
		return
	}
	if slices.Contains(s.ours, c.options.ServerID) {
		c.want(true, Finding{Code: "SOURCE_SERVER_ID_TAKEN", Seen: fmt.Sprintf("the replica with server_id %d that is registered is a binseal of this stream's server_id", c.options.ServerID)})
		return
	}
	taken := slices.Contains(s.replicas, c.options.ServerID)
	c.want(!taken, Finding{
		Code: "SOURCE_SERVER_ID_TAKEN", Severity: Warn,
		Seen: choose(taken, "a", "no") + fmt.Sprintf(" replica with server_id %d is registered", c.options.ServerID),
		Why:  "two replicas with one id end each other's connection, without end; it is fine if the replica is this stream's daemon",
		Fix:  "if no daemon of this stream is running, set source.server_id in the config to another number",
	})
}

// sourcePrivileges checks the replication account. Both privileges are global: they cannot be given on a schema.
func (c *checker) sourcePrivileges(s *server) {
	needed := grants.Log(s.mariaDB())
	missing := s.missing(needed, "*", "*")
	c.want(len(missing) == 0, Finding{
		Code: "SOURCE_PRIVILEGES", Severity: Must, Seen: missingText(missing),
		Why: needed[0] + " reads the log, " + needed[1] + " asks for its end, by which lag is measured",
		Fix: fmt.Sprintf("GRANT %s ON *.* TO %s", strings.Join(needed, ", "), s.account()),
	})
	c.want(s.logFilter == "", Finding{
		Code: "SOURCE_LOG_FILTER", Severity: Must,
		Seen: choose(s.logFilter == "", "all schemas are logged", "binlog-do-db or binlog-ignore-db: "+s.logFilter),
		Why:  "changes that the source does not log never reach the target, and nothing shows that they are missing",
		Fix:  "start mysqld without --binlog-do-db and --binlog-ignore-db; choose tables in the config of binseal",
	})
}
