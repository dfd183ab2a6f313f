package replicator

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// mariadbScript is a history with what MariaDB writes otherwise than MySQL.
var mariadbScript = []string{
	"CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(2000), j JSON)",
	"INSERT INTO shop.a VALUES (1,'x','{}'),(2,'y','{}')",
	"SET gtid_domain_id=7; INSERT INTO shop.a VALUES (3,'z','[]'); SET gtid_domain_id=0",
	"SET GLOBAL log_bin_compress=ON; SET GLOBAL log_bin_compress_min_len=10",
	"UPDATE shop.a SET v=REPEAT('abc',500)",
	"ALTER TABLE shop.a ADD COLUMN w /*!100301 INT */ /*!50701 UNSIGNED */ /*M!101100 NOT NULL */ DEFAULT 5",
	"FLUSH BINARY LOGS",
	"CREATE TABLE shop.copy SELECT id FROM shop.a",
	"SET SESSION binlog_alter_two_phase=1; ALTER TABLE shop.a DROP COLUMN w; SET SESSION binlog_alter_two_phase=0",
	"SET GLOBAL log_bin_compress=OFF",
	"CREATE TABLE shop.m (id INT) ENGINE=MyISAM",
	"INSERT INTO shop.m VALUES (1)",
	"BEGIN; INSERT INTO shop.a VALUES (4,'s','1'); SAVEPOINT Sp; INSERT INTO shop.a VALUES (5,'t','1'); ROLLBACK TO sp; INSERT INTO shop.a VALUES (6,'u','1'); COMMIT",
	"SET gtid_domain_id=7; DELETE FROM shop.a WHERE id=3; SET gtid_domain_id=0",
	"FLUSH BINARY LOGS",
	"XA START 'x','b',7; INSERT INTO shop.a VALUES (10,'x','1'); SAVEPOINT s; DELETE FROM shop.a WHERE id=1; ROLLBACK TO s; UPDATE shop.a SET v='X' WHERE id=2; XA END 'x','b',7; XA PREPARE 'x','b',7",
	"SET gtid_domain_id=7; INSERT INTO shop.m VALUES (2); SET gtid_domain_id=0",
	"XA START X'00ff5c27'; INSERT INTO shop.a VALUES (11,'y','1'); XA END X'00ff5c27'; XA PREPARE X'00ff5c27'; XA COMMIT X'00ff5c27'",
	"FLUSH BINARY LOGS",
	"XA START 'r'; INSERT INTO shop.a VALUES (12,'z','1'); XA END 'r'; XA PREPARE 'r'",
	"XA COMMIT 'x','b',7",
	"XA START 'one'; DELETE FROM shop.a WHERE id=11; XA END 'one'; XA COMMIT 'one' ONE PHASE",
	"XA ROLLBACK 'r'",
	"XA START 'read'; SELECT COUNT(*) FROM shop.a; XA END 'read'; XA PREPARE 'read'; XA COMMIT 'read'",
	"XA START 'none'; XA END 'none'; XA PREPARE 'none'; XA ROLLBACK 'none'",
	"XA START 'part'; INSERT INTO shop.a VALUES (13,'z','1'); XA END 'part'; XA ROLLBACK 'part'",
	"TRUNCATE TABLE shop.a",
}

var mariadbScriptWant = []string{
	"DDL : CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(2000), j LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
	"INSERT shop.a ×2",
	"INSERT shop.a ×1",
	"UPDATE shop.a ×3",
	"DDL : ALTER TABLE shop.a ADD COLUMN w   INT   /* 50701 UNSIGNED */   NOT NULL   DEFAULT 5", // The source has resolved the comments.,
	"DDL : CREATE TABLE `shop`.`copy` (\n  `id` int(11) NOT NULL\n) START TRANSACTION",
	"INSERT shop.copy ×3",
	"", // The first half of the ALTER.
	"DDL : ALTER TABLE shop.a DROP COLUMN w",
	"DDL : CREATE TABLE shop.m (id INT) ENGINE=MyISAM",
	"INSERT shop.m ×1",
	"INSERT shop.a ×2",
	"DELETE shop.a ×1",
	" (undecided: 1)",
	"INSERT shop.m ×1 (undecided: 1)",
	" (undecided: 2)",
	"INSERT shop.a ×1 decides XA (undecided: 1)",
	" (undecided: 2)",
	"INSERT shop.a ×1, UPDATE shop.a ×1 decides XA (undecided: 1)",
	"DELETE shop.a ×1 (undecided: 1)",
	" decides XA",
	"DDL : TRUNCATE TABLE shop.a",
}

// TestEveryMariaDBCheckpointResumesExactly runs a history in two domains and restarts behind each of its transactions,
// by GTID and by position, over encrypted and plain log files.
func TestEveryMariaDBCheckpointResumesExactly(t *testing.T) {
	for _, encrypted := range []bool{true, false} {
		o := testmysql.MariaDBSourceOptions()
		o.BinlogEncryption = encrypted
		s := source(t, o)
		start := here(t, s, true)
		apart(t, s, mariadbScript...)
		for _, byGTID := range []bool{false, true} {
			t.Run(fmt.Sprintf("encrypted=%v by_gtid=%v", encrypted, byGTID), func(t *testing.T) {
				from := start
				from.ByGTID = byGTID
				all, err := collect(t, s, reader(t, s, nil), from)
				if err != nil {
					t.Fatal(err)
				}
				wantTexts(t, mariadbScriptWant, withoutPlaces(describeAll(all)))
				if places := len(describeAll(all)) - len(mariadbScriptWant); byGTID != (places == 0) {
					t.Errorf("%d places beside the transactions", places)
				}
				resumeAnywhere(t, s, from, all)
			})
		}
	}
}

// apart runs each statement on a connection of its own: between XA PREPARE and the decision, a session of MariaDB takes
// no other statement.
func apart(t *testing.T, s *testmysql.Server, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		db, err := sql.Open("mysql", s.RootDSN())
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		var id string
		if err = db.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err == nil {
			_, err = db.ExecContext(t.Context(), statement)
		}
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for s.QueryT(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE id="+id)[0][0] != "0" {
			time.Sleep(time.Millisecond) // What it has prepared is nobody's only behind its end.
		}
	}
}

func describeAll(txns []*change.Txn) []string {
	var all []string
	for _, txn := range txns {
		all = append(all, describe(txn))
	}
	return all
}

// withoutPlaces drops what is no transaction: the source writes some of it in its own time.
func withoutPlaces(texts []string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "new file" })
}

// resumeAnywhere restarts behind each transaction.
func resumeAnywhere(t *testing.T, s *testmysql.Server, from change.Checkpoint, all []*change.Txn) {
	t.Helper()
	set, err := change.ParseGTIDSet(from.GTIDs)
	if err != nil {
		t.Fatal(err)
	}
	for i, txn := range all {
		if !txn.Last { // Its rows follow.
			continue
		}
		set.Add(txn.GTID)
		if txn.CommitTime.IsZero() != txn.GTID.IsZero() || !txn.CommitTime.IsZero() && (txn.Basis != change.BasisEventHeader || time.Since(txn.CommitTime).Abs() > time.Hour) {
			t.Errorf("transaction %d: %+v", i, txn)
		}
		if i == len(all)-1 {
			break
		}
		rest, err := collect(t, s, reader(t, s, nil), change.Checkpoint{Pos: txn.End, GTIDs: set.String(), ByGTID: from.ByGTID, Source: from.Source, Undecided: txn.Undecided})
		if err != nil {
			t.Fatalf("restart behind transaction %d, %s at %s: %v", i, set, txn.End, err)
		}
		wantTexts(t, withoutPlaces(describeAll(all[i+1:])), withoutPlaces(describeAll(rest)))
	}
}

func TestMariaDBRefusals(t *testing.T) {
	s := source(t, testmysql.MariaDBSourceOptions())
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)")
	begin := here(t, s, true)
	refused := func(t *testing.T, from change.Checkpoint, code, says string) {
		t.Helper()
		_, err := collect(t, s, reader(t, s, nil), from)
		if f := change.FaultOf(err); f == nil || f.Code != code || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s with %q", err, code, says)
		}
	}
	t.Run("a number out of order", func(t *testing.T) {
		from := here(t, s, true)
		s.Exec(t, "INSERT INTO shop.a VALUES (2); SET gtid_seq_no=3; INSERT INTO shop.a VALUES (3); INSERT INTO shop.a VALUES (4)")
		refused(t, from, "BS-GTID-ORDER", "0-101-3")
		from.ByGTID = false
		if got, err := collect(t, s, reader(t, s, nil), from); err != nil || len(got) != 3 {
			t.Errorf("by position: %d transactions, %v", len(got), err)
		}
	})
	t.Run("statement format", func(t *testing.T) {
		from := here(t, s, true)
		s.Exec(t, "SET SESSION binlog_format=STATEMENT; INSERT INTO shop.a VALUES (100); SET SESSION binlog_format=ROW")
		refused(t, from, "BS-DML-STATEMENT", "binlog.")
	})
	t.Run("another server", func(t *testing.T) {
		from := here(t, s, true)
		from.Source.ServerUUID = "mariadb-other"
		refused(t, from, "BS-SOURCE-CHANGED", "mariadb-other")
	})
	t.Run("a GTID that the source never had", func(t *testing.T) {
		from := here(t, s, true)
		from.GTIDs = "0-101-99999"
		refused(t, from, "BS-SOURCE-BEHIND", "")
		from.GTIDs = "0-55-4"
		refused(t, from, "BS-SOURCE-BEHIND", "")
	})
	t.Run("a domain that the source does not know", func(t *testing.T) {
		from := here(t, s, true)
		from.GTIDs += ",9-9-9"
		refused(t, from, "BS-SOURCE-BEHIND", "")
	})
	t.Run("inside an event", func(t *testing.T) {
		from := here(t, s, false)
		from.Pos.Pos -= 3
		refused(t, from, "BS-POSITION-INVALID", "binlog.")
	})
	t.Run("purged", func(t *testing.T) {
		s.Exec(t, "FLUSH BINARY LOGS; INSERT INTO shop.a VALUES (200); FLUSH BINARY LOGS; INSERT INTO shop.a VALUES (201)")
		to := here(t, s, false).Pos.File
		purge(t, s, to)
		refused(t, begin, "BS-BINLOG-PURGED", "")
		begin.ByGTID = false
		refused(t, begin, "BS-BINLOG-PURGED", "")
	})
}

// purge removes the source's log up to a file.
func purge(t *testing.T, s *testmysql.Server, to string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); s.QueryT(t, "SHOW BINARY LOGS")[0][0] != to; time.Sleep(100 * time.Millisecond) {
		s.Exec(t, "PURGE BINARY LOGS TO '"+to+"'") // It keeps what a dump reads that has not noticed its end.
		if time.Now().After(end) {
			t.Fatal("the source does not purge its log")
		}
	}
}
