package startpos

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

const (
	uuidA = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuidB = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func at(file string, pos uint64) change.Position { return change.Position{File: file, Pos: pos} }

func TestPositionsOfLoads(t *testing.T) {
	type parser = func(string) (Found, error)
	dump := func(text string) (Found, error) { return MySQLDump(strings.NewReader(text), false) }
	quiet := func(text string) (Found, error) { return MySQLDump(strings.NewReader(text), true) }
	shell := func(text string) (Found, error) { return MySQLShell(text, true) }
	cases := map[string]struct {
		parse parser
		text  string
		gtid  string
		pos   change.Position
		uuid  string
		note  string
		err   string
	}{
		"an event of a restore": {parse: RDSEvent, text: "2026-11-20 shop-1 Binlog position from crash recovery is mysql-bin-changelog.000003 4278", pos: at("mysql-bin-changelog.000003", 4278), note: "enhanced binlog"},
		"the answer of the AWS CLI, the event twice": {parse: RDSEvent, text: `{"Events":[{"Message":"Binlog position from crash recovery is mysql-bin-changelog.000003 4278"},
			{"Message":"Binlog position from crash recovery is mysql-bin-changelog.000003 4278"}]}`, pos: at("mysql-bin-changelog.000003", 4278)},
		"a switchover, not the begin of the staging": {parse: RDSEvent, text: "Binlog position from crash recovery is mysql-bin-changelog.000001 157\n" +
			"Binary log coordinates in green environment after switchover: file mysql-bin-changelog.000003 and position 40134574", pos: at("mysql-bin-changelog.000003", 40134574), note: "passed over"},
		"two restores": {parse: RDSEvent, text: "Binlog position from crash recovery is a.000003 4278\nBinlog position from crash recovery is a.000004 99", err: "2 events name different positions"},
		"no event":     {parse: RDSEvent, text: "DB instance restarted", err: "no event"},

		"xtrabackup":                         {parse: XtraBackup, text: "binlog.000007\t1297\n", pos: at("binlog.000007", 1297), note: "replica"},
		"xtrabackup with a set of two lines": {parse: XtraBackup, text: "binlog.000007\t1297\t" + uuidA + ":1-5,\n" + uuidB + ":1-7\n", gtid: uuidA + ":1-5," + uuidB + ":1-7", pos: at("binlog.000007", 1297)},
		"mariadb-backup":                     {parse: XtraBackup, text: "mysql-bin.000002\t342\t0-1-15", gtid: "0-1-15", pos: at("mysql-bin.000002", 342)},
		"not that file":                      {parse: XtraBackup, text: "backup_type = full-backuped\nfrom_lsn = 0", err: "divided by a tab"},
		"a cut set":                          {parse: XtraBackup, text: "binlog.000007\t1297\t3e11fa47-71ca", err: "GTID set is not one"},

		"mydumper since 0.12": {parse: MyDumper, text: "# Started dump at: 2026-11-20 10:00:00\n[config]\nquote-character = BACKTICK\n\n[master]\n# Channel_Name = ''\nFile = binlog.000003\nPosition = 4711\nExecuted_Gtid_Set = " + uuidA +
			":1-9\n\n[`shop`.`orders`]\nrows = 5\nposition = 99\n# Finished dump at: 2026-11-20 10:00:05\n", gtid: uuidA + ":1-9", pos: at("binlog.000003", 4711)},
		"mydumper with its names of today": {parse: MyDumper, text: "# Started dump at: x\n[source]\n# SOURCE_LOG_FILE = \"binlog.000003\"\nSOURCE_LOG_POS = 4711\nexecuted_gtid_set = \"" + uuidA +
			":1-9\"\n# Finished dump at: y\n", gtid: uuidA + ":1-9", pos: at("binlog.000003", 4711)},
		"mydumper before": {parse: MyDumper, text: "Started dump at: 2016-01-01 10:00:00\nSHOW MASTER STATUS:\n\tLog: mysql-bin.000003\n\tPos: 1234\n\tGTID:" + uuidA + ":1-5\n\nSHOW SLAVE STATUS:\n\tHost: db0\n\tLog: other.000009\n\tPos: 7\n\tGTID:\n\nFinished dump at: 2016-01-01 10:01:00\n",
			gtid: uuidA + ":1-5", pos: at("mysql-bin.000003", 1234), note: "of a replica"},
		"mydumper that did not finish": {parse: MyDumper, text: "# Started dump at: x\n[master]\nFile = binlog.000003\nPosition = 4711\n", err: "did not finish"},

		"mysqldump --source-data=2": {parse: dump, text: "-- MySQL dump 10.13\n--\n-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='binlog.000003', SOURCE_LOG_POS=157;\n", pos: at("binlog.000003", 157), note: "single-transaction"},
		"mysqldump of old, with GTIDs": {parse: dump, text: "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '" + uuidA + ":1-5,\n" + uuidB + ":1-7';\n--\nCHANGE MASTER TO MASTER_LOG_FILE='mysql-bin.000107', MASTER_LOG_POS=107;\n" +
			"LOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES ('MASTER_LOG_POS=9, MASTER_LOG_FILE=''x.000001''');\n", gtid: uuidA + ":1-5," + uuidB + ":1-7", pos: at("mysql-bin.000107", 107)},
		"mysqldump of MariaDB":                    {parse: dump, text: "-- CHANGE MASTER TO MASTER_USE_GTID=slave_pos;\n-- SET GLOBAL gtid_slave_pos='0-1-15';\n-- CHANGE MASTER TO MASTER_LOG_FILE='b.000002', MASTER_LOG_POS=342;\n", gtid: "0-1-15", pos: at("b.000002", 342)},
		"mysqldump without":                       {parse: dump, text: "-- MySQL dump 10.13\nCREATE TABLE t (i INT);\n", err: "no position"},
		"mysqldump with a set alone, not locked":  {parse: dump, text: "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '" + uuidA + ":1-5';\n", err: "without a lock"},
		"mysqldump with a set alone, not written": {parse: quiet, text: "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '" + uuidA + ":1-5';\n", gtid: uuidA + ":1-5"},
		"mydumper of a replica with channels":     {parse: MyDumper, text: "[source]\nFile = b.000003\nPosition = 4711\n[replication.one]\nSOURCE_LOG_FILE = \"x.000001\"\n# Finished dump at: y\n", pos: at("b.000003", 4711), note: "of a replica"},
		"a replica with two channels":             {parse: ShowStatus, text: "*** 1. row ***\nRelay_Source_Log_File: a.000001\nExec_Source_Log_Pos: 4711\nReplica_SQL_Running: Yes\n*** 2. row ***\nRelay_Source_Log_File: b.000002\nExec_Source_Log_Pos: 99\nReplica_SQL_Running: No\n", err: "more than one row"},
		"two rows by tabs":                        {parse: ShowStatus, text: "File\tPosition\nb.000001\t4711\nb.000002\t99\n", err: "more than one row"},
		"mysqldump with two":                      {parse: dump, text: "CHANGE MASTER TO MASTER_LOG_FILE='a.000001', MASTER_LOG_POS=107;\nCHANGE MASTER TO MASTER_LOG_FILE='b.000001', MASTER_LOG_POS=107;\n", err: "two different"},
		"MySQL Shell":                             {parse: shell, text: `{"dumper":"mysqlsh","gtidExecuted":"` + uuidA + `:1-9","gtidExecutedInconsistent":false,"consistent":true,"binlogFile":"binlog.000003","binlogPosition":4711,"source":{"sysvars":{"server_uuid":"` + uuidA + `"}}}`, gtid: uuidA + ":1-9", pos: at("binlog.000003", 4711), uuid: uuidA},
		"MySQL Shell, set not safe":               {parse: shell, text: `{"gtidExecuted":"` + uuidA + `:1-9","gtidExecutedInconsistent":true,"consistent":true,"binlogFile":"binlog.000003","binlogPosition":4711}`, pos: at("binlog.000003", 4711), note: "inconsistent"},
		"MySQL Shell, inconsistent":               {parse: shell, text: `{"consistent":false,"binlogFile":"binlog.000003","binlogPosition":4711}`, err: "no one position"},
		"MySQL Shell, not finished":               {parse: func(s string) (Found, error) { return MySQLShell(s, false) }, text: `{"binlogFile":"binlog.000003","binlogPosition":4711}`, err: "did not finish"},

		"status with \\G":       {parse: ShowStatus, text: "*************************** 1. row ***************************\n             File: binlog.000003\n         Position: 4711\n     Binlog_Do_DB: \nExecuted_Gtid_Set: " + uuidA + ":1-5,\n" + uuidB + ":1-7\n1 row in set (0.00 sec)\n", gtid: uuidA + ":1-5," + uuidB + ":1-7", pos: at("binlog.000003", 4711)},
		"status with \\G alone": {parse: ShowStatus, text: "             File: binlog.000003\n         Position: 4711\n     Binlog_Do_DB: \n Binlog_Ignore_DB: \nExecuted_Gtid_Set: " + uuidA + ":1-5,\n" + uuidB + ":1-7\n", gtid: uuidA + ":1-5," + uuidB + ":1-7", pos: at("binlog.000003", 4711), note: "nothing was written"},
		"status as a table":     {parse: ShowStatus, text: "+---+---+\n| File          | Position | Binlog_Do_DB | Executed_Gtid_Set |\n+---+---+\n| binlog.000003 |     4711 |              | " + uuidA + ":1-5 |\n+---+\n", gtid: uuidA + ":1-5", pos: at("binlog.000003", 4711)},
		"status by tabs":        {parse: ShowStatus, text: "File\tPosition\tBinlog_Do_DB\tBinlog_Ignore_DB\tExecuted_Gtid_Set\nbinlog.000003\t4711\t\t\t\n", pos: at("binlog.000003", 4711)},
		"a replica that stands": {parse: ShowStatus, text: "Source_Host: db0\nRelay_Source_Log_File: binlog.000009\nExec_Source_Log_Pos: 4711\nReplica_SQL_Running: No\nSource_UUID: " + uuidB + "\nExecuted_Gtid_Set: " + uuidA + ":1-5\n", gtid: uuidA + ":1-5", pos: at("binlog.000009", 4711), uuid: uuidB, note: "own transactions"},
		"a replica that runs":   {parse: ShowStatus, text: "Relay_Master_Log_File: binlog.000009\nExec_Master_Log_Pos: 4711\nSlave_SQL_Running: Yes\n", err: "still applying"},
		"nothing":               {parse: ShowStatus, text: "Empty set", err: "no position"},
		"no place in a log":     {parse: ShowStatus, text: "File: binlog.000003\nPosition: 3\n", err: "not a place"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.parse(c.text)
			if c.err != "" {
				if f := change.FaultOf(err); f == nil || f.Code != "BS-START-UNREADABLE" || f.Next == "" || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %+v, %v, want %q", got, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.gtid, c.pos.String(), c.uuid}, []string{got.GTID, got.Pos.String(), got.ServerUUID}); diff != "" {
				t.Error(diff)
			}
			if notes := strings.Join(got.Notes, "; "); !strings.Contains(notes, c.note) {
				t.Errorf("the notes %q do not tell %q", notes, c.note)
			}
		})
	}
}

func TestTextHasABound(t *testing.T) {
	if _, err := Text(strings.NewReader(strings.Repeat("x", maxText+1))); change.FaultOf(err) == nil {
		t.Errorf("got %v", err)
	}
}
