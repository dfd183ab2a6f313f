package replicator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// SameSource holds a server's identity against a checkpoint's: a *change.Fault BS-SOURCE-CHANGED when they differ.
func SameSource(saved, found change.Source) error { return sameSource(saved, found) }

// Admit decides whether a source can go on at a checkpoint, as the stream does before it asks for the log; files as of
// LogSizes. Errors are change.Faults: BS-SOURCE-CHANGED, BS-BINLOG-PURGED, BS-SOURCE-BEHIND, BS-GTID-MODE.
func Admit(info SourceInfo, files []LogFile, at change.Checkpoint) error {
	return admit(info, files, at)
}

// sameSource holds a server's identity against a checkpoint's. Invariant 10: a saved position is used only on the
// source that it came from.
func sameSource(saved, found change.Source) error {
	if saved.ServerUUID == "" || (saved.ServerUUID == found.ServerUUID && (saved.ServerID == 0 || saved.ServerID == found.ServerID)) {
		return nil
	}
	return halt("BS-SOURCE-CHANGED", changed(saved, found),
		"connect to the former source; if this server has taken its place, find the position on it and set it (binseal position set --loaded)")
}

// changed names the server that was expected and the one that answers.
func changed(saved, found change.Source) string {
	return fmt.Sprintf("the checkpoint is of server %s (server_id %d), but the source is %s (server_id %d)",
		saved.ServerUUID, saved.ServerID, found.ServerUUID, found.ServerID)
}

// admit decides, before the dump is asked for, whether the source can go on at a checkpoint. The dump would refuse
// too, but with one error number for everything. By GTID the server may be another one than before: see Reader.Admit.
func admit(info SourceInfo, files []LogFile, from change.Checkpoint) error {
	if from.ByGTID {
		return admitGTIDs(info, from)
	}
	if err := sameSource(from.Source, info.Source); err != nil {
		return err
	}
	if err := admitPosition(files, from.Pos); err != nil || from.Resume() == from.Pos {
		return err
	}
	return admitPosition(files, from.Resume())
}

func admitGTIDs(info SourceInfo, from change.Checkpoint) error {
	if !info.ByGTID() {
		return halt("BS-GTID-MODE", "the checkpoint goes on by GTID, but the source's gtid_mode is now "+info.GTIDMode,
			"set gtid_mode=ON on the source again, or go on by file and position (binseal position set --at)")
	}
	have, err := change.ParseGTIDSet(from.GTIDs)
	if err != nil {
		return badStart("the GTID set to start from cannot be read", "correct start.gtid")
	}
	if !info.Executed.Contains(have) {
		return sourceBehind(fmt.Sprintf("%d transactions of the checkpoint were never executed on the source", max(1, have.CountMissing(info.Executed))))
	}
	if !have.Contains(info.Purged) {
		return purged(fmt.Sprintf("the source has purged %d transactions that were not applied yet", info.Purged.CountMissing(have)))
	}
	return nil
}

func admitPosition(files []LogFile, pos change.Position) error {
	if pos.IsZero() {
		return badStart("there is no position to start from", "set start in the config")
	}
	for _, f := range files {
		if f.Name != pos.File {
			continue
		}
		if f.Size < pos.Pos {
			return sourceBehind(fmt.Sprintf("the source's file %s has %d bytes, the checkpoint is at %d", f.Name, f.Size, pos.Pos))
		}
		return nil
	}
	if len(files) > 0 && pos.Compare(change.Position{File: files[len(files)-1].Name}) > 0 {
		return sourceBehind(fmt.Sprintf("the source's log ends with %s, the checkpoint is in %s", files[len(files)-1].Name, pos.File))
	}
	return purged(fmt.Sprintf("the source has purged %s", pos.File))
}

// sameCase refuses two servers that compare the names of tables differently: T and t are two tables on one and one on
// the other, and a server with 1 logs rows under names that its statements do not have.
func sameCase(source, target int) error {
	if source == target {
		return nil
	}
	return halt("BS-NAME-CASE", fmt.Sprintf("the source has lower_case_table_names=%d and the target %d", source, target),
		fmt.Sprintf("create the target anew with lower_case_table_names=%d; it cannot be changed later (Aurora: in the parameter group, before the cluster is created)", source))
}

func badStart(what, next string) error {
	return &change.Fault{Code: "BS-CONFIG", Class: change.ClassConfig, What: what, Next: next}
}

func sourceBehind(what string) error {
	return halt(codeBehind, what+": it lost transactions, or it is another server",
		"if a replica was promoted before it had executed everything, let it catch up or connect the former source; else find out what the source lost, compare source and target, then copy the data anew and set its position (binseal position set --loaded)")
}

func purged(what string) error {
	return halt(codePurged, what,
		"copy the data anew and set its position (binseal position set --loaded); before that, raise binlog_expire_logs_seconds on the source above the longest stop that you plan for")
}

// errDump is ER_SOURCE_FATAL_ERROR_READING_BINLOG, with which a dump ends whatever the reason is.
const errDump = 1236

// withoutGTID is the fault of a transaction without a GTID in a stream that goes on by GTID.
func withoutGTID() error {
	return halt("BS-GTID-MODE", "the source's log holds transactions without GTIDs, or its gtid_mode changed",
		"set gtid_mode=ON on the source again; then repeat on the target by hand what came without GTIDs, and go on behind it (binseal position set --gtid). Or go on by file and position (--at), with gtid_mode=ON_PERMISSIVE on the source until the last of them is read")
}

// dumpFault names the reason of an error 1236, which only its text has. The text is looked at and never passed on
// (invariant 9). ok is false for other errors.
func dumpFault(err error) (f error, ok bool) {
	e, is := errors.AsType[*mysql.MyError](err)
	if !is || e.Code != errDump {
		return nil, false
	}
	text := strings.ToLower(e.Message)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("same server_uuid/server_id"):
		return halt("BS-SERVER-ID-CLASH", "another replica with the same server id has connected to the source",
			"look for a second daemon of this stream (SHOW REPLICAS on the source); give each stream its own source.server_id"), true
	case has("purged", "could not find first log file"):
		return purged("the source has purged log that was not applied yet"), true
	case has("more gtids than", "position > file size", "impossible position", "not in the master's binlog", "missing the gtid"):
		return sourceBehind("the checkpoint is behind the end of the source's log"), true
	case has("auto_position", "gtid_mode"):
		return withoutGTID(), true
	case has("max_allowed_packet"):
		return tooLarge(), true
	case has("bogus data", "checksum", "corrupt", "truncated"):
		return malformed(errChecksum), true
	case has("binary log is not open"):
		return logOff(), true
	}
	return &change.Fault{Code: "BS-DUMP-REFUSED", Class: change.ClassRuntime, What: "the source ended the dump with error 1236",
		Next: "read the source's error log; the stream tries again"}, true
}

// listEvery is how often a source is asked for the list of its log's files at most: on Aurora that raised the latency of
// commits, and could deadlock (facts/aurora.md §2.2, release notes of 3.08 and 3.09).
const listEvery = time.Minute

// Listing keeps the list of a log's files for a minute. Its zero value is ready; safe for concurrent use.
type Listing struct {
	mu     sync.Mutex // Guards what follows.
	server string
	at     time.Time
	files  []LogFile
}

// kept gives the list of a server if it is less than a minute old. Its last file may have grown since.
func (l *Listing) kept(server string) ([]LogFile, bool) {
	if l == nil {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.files), l.server == server && time.Since(l.at) < listEvery
}

// Sizes is LogSizes, asked at most once a minute.
func (l *Listing) Sizes(ctx context.Context, s *mysqlconn.Session) ([]LogFile, error) {
	if files, ok := l.kept(s.ServerUUID); ok {
		return files, nil
	}
	return l.ask(ctx, s)
}

func (l *Listing) ask(ctx context.Context, s *mysqlconn.Session) ([]LogFile, error) {
	files, err := LogSizes(ctx, s)
	if err == nil && l != nil {
		l.mu.Lock()
		l.server, l.at, l.files = s.ServerUUID, time.Now(), slices.Clone(files)
		l.mu.Unlock()
	}
	return files, err
}
