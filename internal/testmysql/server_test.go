package testmysql

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// one reads a single value as root.
func one(t *testing.T, s *Server, query string) string {
	t.Helper()
	rows := s.QueryT(t, query)
	if len(rows) != 1 || len(rows[0]) == 0 {
		t.Fatalf("%s gave %d rows", query, len(rows))
	}
	return rows[0][len(rows[0])-1]
}

func TestSourceHasWhatAReplicaNeeds(t *testing.T) {
	s := StartT(t, SourceOptions())
	got := s.QueryT(t, "SELECT @@gtid_mode, @@log_bin, @@binlog_format, @@binlog_row_image, @@binlog_row_metadata, @@binlog_encryption, @@server_id")
	want := [][]string{{"ON", "1", "ROW", "FULL", "FULL", "1", "101"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if err := s.CreateReplicationUser(t.Context(), "repl", `p'a\ss`); err != nil {
		t.Fatal(err)
	}
	db, err := s.Open("repl", `p'a\ss`)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var name, version string
	if err := db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_version'").Scan(&name, &version); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(version, "TLSv1.") {
		t.Errorf("TLS version %q", version)
	}
}

func TestTargetIsEncryptedAndRefusesPlaintext(t *testing.T) {
	s := StartT(t, TargetOptions())
	if err := s.CreateApplierUser(t.Context(), "applier", "secret", "shop"); err != nil {
		t.Fatal(err)
	}
	db, err := s.Open("applier", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); CREATE DATABASE binseal"); err != nil {
		t.Fatal(err)
	}
	if got := one(t, s, "SELECT ENCRYPTION FROM information_schema.INNODB_TABLESPACES WHERE NAME = 'shop/t'"); got != "Y" {
		t.Errorf("table is not encrypted: %s", got)
	}
	if got := one(t, s, "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION <> 'Y' AND NAME IN ('mysql', 'innodb_undo_001')"); got != "0" {
		t.Errorf("%s of the server's own tablespaces are not encrypted", got)
	}
	if _, err := db.ExecContext(t.Context(), "SET SESSION sql_log_bin = 0"); err == nil {
		t.Error("the applier may switch sql_log_bin, which Aurora would not allow")
	}
	plain := &Server{Addr: s.Addr} // Without a CA, Open speaks plain TCP.
	bare, err := plain.Open("applier", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.PingContext(t.Context()); err == nil {
		t.Error("the target took a session without TLS")
	}
}

func TestDataSurvivesKillAndRestart(t *testing.T) {
	s := StartT(t, TargetOptions())
	s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)")
	pid := s.PID()
	s.Kill()
	if s.Alive() {
		t.Fatal("alive after Kill")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == pid {
		t.Error("the same process after Restart")
	}
	if got := one(t, s, "SELECT COUNT(*) FROM shop.t"); got != "2" {
		t.Errorf("%s rows after the restart, want 2", got)
	}
}

func TestPausedServerSaysNothingUntilResumed(t *testing.T) {
	s := StartT(t, Options{})
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- s.DB().PingContext(t.Context()) }()
	select {
	case err := <-answered:
		t.Fatalf("a paused server answered: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestServersDoNotShareAnIdentity(t *testing.T) {
	a, b := StartT(t, Options{}), StartT(t, Options{NoTLS: true})
	if ua, ub := one(t, a, "SELECT @@server_uuid"), one(t, b, "SELECT @@server_uuid"); ua == ub {
		t.Errorf("both servers are %s", ua)
	}
	if got := one(t, b, "SELECT @@tls_version"); got != "" {
		t.Errorf("a server without TLS offers %s", got)
	}
}

func TestFailedStartShowsTheLogAndLeavesNothing(t *testing.T) {
	dir := t.TempDir() + "/server"
	_, err := Start(t.Context(), Options{Dir: dir, Extra: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("error does not show the log: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A server that starts removes what looks like a temporary table's file from its folder for such. With one folder for
// all, MariaDB and MySQL 5.6 took them from each other: "Error on delete of '/tmp/#sql-temptable-…'", and crashes.
func TestServersDoNotTakeEachOthersTemporaryTables(t *testing.T) {
	for _, kind := range []Kind{MariaDB, MySQL56} {
		s := StartT(t, Options{Name: "first", Kind: kind})
		s.Exec(t, "CREATE DATABASE shop")
		conn, err := s.DB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), "CREATE TEMPORARY TABLE shop.t (a INT) ENGINE=MyISAM"); err != nil {
			t.Fatal(err)
		}
		for _, other := range []Kind{Newest, MariaDB, MySQL56} {
			StartT(t, Options{Name: "second", Kind: other})
		}
		if _, err := conn.ExecContext(t.Context(), "DROP TEMPORARY TABLE shop.t"); err != nil {
			t.Errorf("a temporary table of %s after other servers have started: %v", s.Version, err)
		}
	}
}
