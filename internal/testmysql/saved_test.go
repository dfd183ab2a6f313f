package testmysql

import (
	"strings"
	"testing"
)

func TestRestoredDataIsAsItWasSaved(t *testing.T) {
	s := StartT(t, TargetOptions())
	s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)")
	if err := s.SaveData(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := one(t, s, "SELECT COUNT(*) FROM shop.t"); got != "2" {
			t.Fatalf("%s rows, want the 2 that were saved", got)
		}
		s.Exec(t, "DELETE FROM shop.t WHERE id=1", "CREATE TABLE shop.other (id INT PRIMARY KEY)")
		if err := s.RestoreData(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if tables := s.QueryT(t, "SHOW TABLES FROM shop"); len(tables) != 1 {
		t.Errorf("%d tables, want the one that was saved", len(tables))
	}
}

func TestClientProgramsRun(t *testing.T) {
	s := StartT(t, Options{})
	cmd, err := s.Client(t.Context(), "mysqlbinlog", "--version")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "mysqlbinlog") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := s.Client(t.Context(), "no-such-program"); err == nil {
		t.Error("a program that is not there was found")
	}
}
