package testmysql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMariaDBSourceHasWhatAReplicaNeeds(t *testing.T) {
	s := StartT(t, MariaDBSourceOptions())
	if !strings.Contains(one(t, s, "SELECT VERSION()"), "MariaDB") {
		t.Fatalf("version %s is no MariaDB", one(t, s, "SELECT VERSION()"))
	}
	got := s.QueryT(t, "SELECT @@log_bin, @@binlog_format, @@binlog_row_image, @@binlog_row_metadata, @@encrypt_binlog, @@server_id")
	want := [][]string{{"1", "ROW", "FULL", "NO_LOG", "1", "101"}}
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
	other := StartT(t, MariaDBSourceOptions())
	if one(t, s, "SELECT @@server_uid") == one(t, other, "SELECT @@server_uid") {
		t.Error("two servers have one server_uid")
	}
}
