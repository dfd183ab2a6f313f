package replicator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
)

func gtids(t *testing.T, s string) change.GTIDSet {
	t.Helper()
	set, err := change.ParseGTIDSet(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAdmission(t *testing.T) {
	id := testUUID.String()
	info := SourceInfo{
		Source: change.Source{ServerUUID: id, ServerID: 101}, GTIDMode: "ON",
		Executed: gtids(t, id+":1-100"), Purged: gtids(t, id+":1-10"),
	}
	files := []LogFile{{Name: "binlog.000009", Size: 500}, {Name: "binlog.000010", Size: 900}}
	off := info
	off.GTIDMode = "OFF_PERMISSIVE"
	same := change.Source{ServerUUID: id, ServerID: 101}
	tests := map[string]struct {
		info SourceInfo
		from change.Checkpoint
		code string
		says string
	}{
		"the next transaction is there":           {info: info, from: change.Checkpoint{GTIDs: id + ":1-50", ByGTID: true, Source: same}},
		"exactly what was purged is applied":      {info: info, from: change.Checkpoint{GTIDs: id + ":1-10", ByGTID: true}},
		"one transaction is purged":               {info: info, from: change.Checkpoint{GTIDs: id + ":1-9", ByGTID: true}, code: "BS-BINLOG-PURGED", says: "1 transactions"},
		"nothing was applied, something is gone":  {info: info, from: change.Checkpoint{ByGTID: true}, code: "BS-BINLOG-PURGED", says: "10 transactions"},
		"the source lost a transaction":           {info: info, from: change.Checkpoint{GTIDs: id + ":1-101", ByGTID: true}, code: "BS-SOURCE-BEHIND", says: "1 transactions"},
		"the source stopped using GTIDs":          {info: off, from: change.Checkpoint{GTIDs: id + ":1-50", ByGTID: true}, code: "BS-GTID-MODE", says: "OFF_PERMISSIVE"},
		"another server, by GTID":                 {info: info, from: change.Checkpoint{GTIDs: id + ":1-50", ByGTID: true, Source: change.Source{ServerUUID: "x", ServerID: 101}}},
		"another server id":                       {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000009", Pos: 4}, Source: change.Source{ServerUUID: id, ServerID: 5}}, code: "BS-SOURCE-CHANGED", says: "server_id 5"},
		"a position in an old file":               {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000009", Pos: 500}}},
		"a position behind its file's end":        {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000009", Pos: 501}}, code: "BS-SOURCE-BEHIND", says: "500 bytes"},
		"a file that is gone":                     {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000008", Pos: 4}}, code: "BS-BINLOG-PURGED", says: "binlog.000008"},
		"a file that is not there yet":            {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000011", Pos: 4}}, code: "BS-SOURCE-BEHIND", says: "binlog.000011"},
		"no position at all":                      {info: info, from: change.Checkpoint{}, code: "BS-CONFIG"},
		"a GTID set that is none":                 {info: info, from: change.Checkpoint{GTIDs: "x", ByGTID: true}, code: "BS-CONFIG"},
		"another server, although the file fits":  {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000009", Pos: 4}, Source: change.Source{ServerUUID: "x"}}, code: "BS-SOURCE-CHANGED"},
		"a first start, without a known identity": {info: info, from: change.Checkpoint{Pos: change.Position{File: "binlog.000010", Pos: 4}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := admit(tc.info, files, tc.from)
			f := change.FaultOf(err)
			if tc.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if f == nil || f.Code != tc.code || (f.Class == change.ClassPerson) == (tc.code == "BS-CONFIG") || !strings.Contains(f.What, tc.says) || f.Next == "" {
				t.Errorf("want %s with %q, got %v", tc.code, tc.says, err)
			}
		})
	}
}

// TestDumpErrors names the reasons of error 1236. The texts are the server's (errmsg and rpl_binlog_sender.cc).
func TestDumpErrors(t *testing.T) {
	const secret = "alice@example.com"
	tests := map[string]string{
		"Cannot replicate because the source purged required binary logs. Replicate the missing transactions from elsewhere": "BS-BINLOG-PURGED",
		"Could not find first log file name in binary log index file":                                                        "BS-BINLOG-PURGED",
		"A replica with the same server_uuid/server_id as this replica has connected to the source; the first event":         "BS-SERVER-ID-CLASH",
		"A slave with the same server_uuid/server_id as this slave has connected to the master":                              "BS-SERVER-ID-CLASH",
		"Replica has more GTIDs than the source has, using the source's SERVER_UUID":                                         "BS-SOURCE-BEHIND",
		"Client requested source to start replication from position > file size":                                             "BS-SOURCE-BEHIND",
		"Client requested master to start replication from impossible position":                                              "BS-SOURCE-BEHIND",
		"The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF instead of ON.":   "BS-GTID-MODE",
		"log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source":                                 "BS-TOO-LARGE",
		"event read from binlog did not pass checksum algorithm check specified with --binlog-checksum":                      "BS-CHECKSUM",
		"bogus data in log event":       "BS-CHECKSUM",
		"Binary log is not open":        "BS-BINLOG-OFF",
		"something else " + secret + "": "BS-DUMP-REFUSED",
	}
	for text, code := range tests {
		t.Run(text, func(t *testing.T) {
			err, ok := dumpFault(fmt.Errorf("wrapped: %w", &mysql.MyError{Code: errDump, Message: text + " " + secret}))
			f := change.FaultOf(err)
			if !ok || f == nil || f.Code != code {
				t.Fatalf("want %s, got %v", code, err)
			}
			// Invariant 9: the server's text never gets out.
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, f, f.Next), secret) {
				t.Errorf("the server's text is in %v", err)
			}
		})
	}
	if _, ok := dumpFault(&mysql.MyError{Code: 1045}); ok {
		t.Error("1045 taken for the dump's error")
	}
	if _, ok := dumpFault(errors.New("x")); ok {
		t.Error("a plain error taken for the dump's")
	}
}
