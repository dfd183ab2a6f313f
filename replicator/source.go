package replicator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// origin tags our SQL, so that a DBA sees who asks.
const origin = "/* binseal replicator */ "

// SourceInfo is what a source says about itself and its log. Texts are the server's own spelling ("ROW", "ON").
type SourceInfo struct {
	change.Source
	MariaDB         bool
	LogBin          bool   // log_bin
	Format          string // binlog_format; a session may use another, so each event is looked at too.
	RowImage        string // binlog_row_image
	RowMetadata     string // binlog_row_metadata; "" before MySQL 8.0.1.
	RowValueOptions string // binlog_row_value_options; "" when not set or before MySQL 8.0.3.
	Checksum        string // binlog_checksum
	GTIDMode        string // gtid_mode; "" when the server has none, as MariaDB, where GTIDs are always on.
	SystemTimeZone  string // system_time_zone: an abbreviation such as "UTC" or "CEST".
	LowerCaseNames  int    // lower_case_table_names
	// ExplicitDefaultsTS is explicit_defaults_for_timestamp, which events before MySQL 8.0 do not carry; nil before 5.6.6.
	ExplicitDefaultsTS *bool
	// ExpireSeconds is binlog_expire_logs_seconds: how long the source keeps its log; 0 for ever or unknown.
	ExpireSeconds uint64
	Purged        change.GTIDSet  // gtid_purged: transactions that are no longer in the log; MariaDB does not tell.
	Executed      change.GTIDSet  // gtid_executed, gtid_binlog_pos
	End           change.Position // Tail.Pos
	Tail          LogEnd          // With the clock at that moment.
}

// ByGTID reports whether the source can be read by GTID: MariaDB, and MySQL with gtid_mode ON or ON_PERMISSIVE.
func (i *SourceInfo) ByGTID() bool { return i.MariaDB || strings.HasPrefix(i.GTIDMode, "ON") }

// LogEnd is the end of a source's log at one moment.
type LogEnd struct {
	Pos   change.Position
	GTIDs change.GTIDSet
	// Clock is the source's UTC clock just before its log's end was asked: whatever had committed by then is in Pos.
	Clock time.Time
	// LocalClock is this machine's clock at the same moment, halfway between question and answer; RoundTrip is the
	// time between the two. Clock − LocalClock is the offset, exact to half a round trip.
	LocalClock time.Time
	RoundTrip  time.Duration
}

// LogFile is one file of the source's log.
type LogFile struct {
	Name      string
	Size      uint64 // In positions: without the 512 bytes that encryption puts before a file.
	Encrypted bool
}

// querier is the part of *mysqlconn.Session that is asked here.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Identify asks the source who it is and how it logs. A source without a binary log is a change.Fault BS-BINLOG-OFF,
// a MariaDB older than 10.5 BS-SOURCE-UNSUPPORTED.
func Identify(ctx context.Context, s *mysqlconn.Session) (SourceInfo, error) {
	return identify(ctx, s, change.Source{ServerUUID: s.ServerUUID, Version: s.Version}, s.MariaDB)
}

func identify(ctx context.Context, q querier, who change.Source, mariaDB bool) (SourceInfo, error) {
	info := SourceInfo{Source: who, MariaDB: mariaDB}
	if mariaDB && mariadbRelease(info) < oldestMariaDB {
		return info, &change.Fault{Code: "BS-SOURCE-UNSUPPORTED", Class: change.ClassEnvironment,
			What: "the source is MariaDB " + info.Version + ", and its log is read from 10.5 on", Next: "upgrade the source"}
	}
	vars, err := variables(ctx, q)
	if err != nil {
		return info, err
	}
	id, err := strconv.ParseUint(vars["server_id"], 10, 32)
	if err != nil {
		return info, errors.New("source: its server_id is not a number")
	}
	info.ServerID = uint32(id)
	info.LogBin = vars["log_bin"] == "ON"
	info.Format, info.RowImage = vars["binlog_format"], vars["binlog_row_image"]
	info.RowMetadata, info.RowValueOptions = vars["binlog_row_metadata"], vars["binlog_row_value_options"]
	info.Checksum, info.GTIDMode = vars["binlog_checksum"], vars["gtid_mode"]
	info.SystemTimeZone = vars["system_time_zone"]
	info.LowerCaseNames, _ = strconv.Atoi(vars["lower_case_table_names"])
	if value, known := vars["explicit_defaults_for_timestamp"]; known {
		on := value == "ON"
		info.ExplicitDefaultsTS = &on
	}
	info.ExpireSeconds, _ = strconv.ParseUint(vars["binlog_expire_logs_seconds"], 10, 64)
	if !info.LogBin {
		return info, logOff()
	}
	if err := flavourOf(mariaDB).gtids(ctx, q, &info); err != nil {
		return info, err
	}
	info.Tail, err = tail(ctx, q, flavourOf(mariaDB))
	info.End = info.Tail.Pos
	return info, err
}

func logOff() error {
	return &change.Fault{Code: "BS-BINLOG-OFF", Class: change.ClassEnvironment,
		What: "the source writes no binary log", Next: "start the source with log_bin (and binlog_format=ROW)"}
}

// variables reads the settings, each "" when the server does not know it.
func variables(ctx context.Context, q querier) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, origin+`SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id','log_bin','binlog_format','binlog_row_image','binlog_row_metadata',
		'binlog_row_value_options','binlog_checksum','gtid_mode','binlog_expire_logs_seconds','system_time_zone','lower_case_table_names',
		'explicit_defaults_for_timestamp')`)
	if err != nil {
		return nil, mysqlconn.Describe("source", "ask for its settings", err)
	}
	defer rows.Close()
	vars := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, mysqlconn.Describe("source", "ask for its settings", err)
		}
		vars[name] = value
	}
	if err := rows.Err(); err != nil {
		return nil, mysqlconn.Describe("source", "ask for its settings", err)
	}
	return vars, nil
}

// gtidSets reads the two sets by SELECT: SHOW VARIABLES cuts values at 1024 characters.
func gtidSets(ctx context.Context, q querier, info *SourceInfo) error {
	var purged, executed string
	if err := queryRow(ctx, q, "SELECT @@GLOBAL.gtid_purged, @@GLOBAL.gtid_executed", "ask for its GTIDs", &purged, &executed); err != nil {
		return err
	}
	var err error
	if info.Purged, err = change.ParseGTIDSet(purged); err != nil {
		return fmt.Errorf("source: gtid_purged: %w", err)
	}
	if info.Executed, err = change.ParseGTIDSet(executed); err != nil {
		return fmt.Errorf("source: gtid_executed: %w", err)
	}
	return nil
}

// queryRow reads the one row of a query; sql.ErrNoRows when there is none.
func queryRow(ctx context.Context, q querier, query, op string, dest ...any) error {
	rows, err := q.QueryContext(ctx, origin+query)
	if err != nil {
		return mysqlconn.Describe("source", op, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if rows.Err() == nil {
			return sql.ErrNoRows
		}
		return mysqlconn.Describe("source", op, rows.Err())
	}
	// Statements like SHOW gain columns from version to version; the first ones are stable.
	columns, err := rows.Columns()
	if err != nil {
		return mysqlconn.Describe("source", op, err)
	}
	for len(dest) < len(columns) {
		dest = append(dest, new(sql.RawBytes))
	}
	if err := rows.Scan(dest...); err != nil {
		return mysqlconn.Describe("source", op, err)
	}
	return nil
}

// End asks for the end of the source's log and its clock. It needs the privilege REPLICATION CLIENT.
func End(ctx context.Context, s *mysqlconn.Session) (LogEnd, error) {
	return tail(ctx, s, flavourOf(s.MariaDB))
}

func tail(ctx context.Context, q querier, f flavour) (LogEnd, error) {
	var end LogEnd
	var clock string
	asked := time.Now()
	// The clock first: a commit between the two answers then makes lag look worse, not better (invariant 8).
	if err := queryRow(ctx, q, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)", "ask for its clock", &clock); err != nil {
		return end, err
	}
	end.RoundTrip = time.Since(asked)
	end.LocalClock = asked.Add(end.RoundTrip / 2)
	var err error
	if end.Clock, err = time.Parse("2006-01-02 15:04:05.000000", clock); err != nil {
		return end, errors.New("source: its clock is not a time")
	}
	if err = f.end(ctx, q, &end); errors.Is(err, sql.ErrNoRows) {
		return end, logOff()
	}
	return end, err
}

const errParse = 1064 // ER_PARSE_ERROR: the server does not know the statement.

// LogSizes lists the files of the source's log, oldest first. It needs the privilege REPLICATION CLIENT.
func LogSizes(ctx context.Context, s *mysqlconn.Session) ([]LogFile, error) { return logSizes(ctx, s) }

func logSizes(ctx context.Context, q querier) ([]LogFile, error) {
	const op = "list the files of its log"
	rows, err := q.QueryContext(ctx, origin+"SHOW BINARY LOGS")
	if err != nil {
		return nil, mysqlconn.Describe("source", op, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, mysqlconn.Describe("source", op, err)
	}
	var files []LogFile
	for rows.Next() {
		var f LogFile
		var encrypted string
		dest := []any{&f.Name, &f.Size, &encrypted} // The third column exists since MySQL 8.0.14.
		for len(dest) < len(columns) {
			dest = append(dest, new(sql.RawBytes))
		}
		if err := rows.Scan(dest[:len(columns)]...); err != nil {
			return nil, mysqlconn.Describe("source", op, err)
		}
		f.Encrypted = strings.EqualFold(encrypted, "Yes")
		files = append(files, f)
	}
	if err := rows.Err(); err != nil {
		return nil, mysqlconn.Describe("source", op, err)
	}
	for i := range files {
		// Positions do not count the encryption header (rpl_log_encryption.h, HEADER_SIZE).
		if f := &files[i]; f.Encrypted && f.Size >= encryptionHeader {
			f.Size -= encryptionHeader
		}
	}
	return files, nil
}

const encryptionHeader = 512
