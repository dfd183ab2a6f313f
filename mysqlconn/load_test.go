package mysqlconn

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

const into = `INTO TABLE shop.t FIELDS TERMINATED BY '\t' (id,v)`

func TestServerLoad(t *testing.T) {
	server := startServer(t, testmysql.Options{Name: "load", LocalInfile: true})
	server.Exec(t, "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(5))")
	e := endpoint(t, "target", server.Addr, tlsconf.Config{CA: server.CAFile})
	o := SessionOptions{Init: TargetInit(time.Minute, time.Second)}
	load := func(t *testing.T, s *Session, text string) (loaded, warnings int64) {
		t.Helper()
		loaded, warnings, err := s.Load(t.Context(), into, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return loaded, warnings
	}
	s := open(t, e, o)
	if !s.LocalInfile {
		t.Error("the session does not know local_infile")
	}
	for text, want := range map[string][2]int64{
		"1\ta\n2\tb\n": {2, 0}, "": {0, 0},
		"1\tb\n3\tc\n":        {1, 1}, // There already.
		"4\tfar too long\n":   {1, 1}, // Clipped.
		"x\ta\n":              {1, 1}, // No number: 0.
		"5\n":                 {1, 1}, // A column is missing.
		"7\ta\tb\n":           {1, 1}, // One too many.
		"8\ta\n9\tb\n10\tc\n": {3, 0},
	} {
		exec(t, s, "DELETE FROM shop.t WHERE id NOT IN (1,2)")
		exec(t, s, "REPLACE INTO shop.t VALUES (1,'a'),(2,'b')")
		if text == "1\ta\n2\tb\n" {
			exec(t, s, "DELETE FROM shop.t")
		}
		if loaded, warnings := load(t, s, text); [2]int64{loaded, warnings} != want {
			t.Errorf("%q: %d loaded, %d warnings, want %v", text, loaded, warnings, want)
		}
	}

	failed := open(t, e, o)
	broken := errors.New("an image is cut off")
	exec(t, failed, "DELETE FROM shop.t; START TRANSACTION")
	if _, _, err := failed.Load(t.Context(), into, io.MultiReader(strings.NewReader("1\ta\n"), readerOf{broken})); !errors.Is(err, broken) {
		t.Errorf("the file's own error: %v", err)
	}
	_ = failed.Close()
	if n := server.QueryT(t, "SELECT COUNT(*) FROM shop.t")[0][0]; n != "0" {
		t.Errorf("%s rows of a file that broke off have stayed", n)
	}

	if _, _, err := open(t, e, o).Load(t.Context(), "INTO TABLE shop.nothere", strings.NewReader("1\tsecret\n")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no such table: %v", err)
	}
	server.Exec(t, "SET GLOBAL local_infile=OFF")
	s = open(t, e, o)
	const disabled = 3948 // ER_CLIENT_LOCAL_FILES_DISABLED
	if _, _, err := s.Load(t.Context(), into, strings.NewReader("1\ta\n")); s.LocalInfile {
		t.Error("the session takes local_infile for ON")
	} else if n, _ := Number(err); n != disabled {
		t.Errorf("local_infile=OFF: %v", err)
	}
}

// readerOf is a reader that fails.
type readerOf struct{ err error }

func (r readerOf) Read([]byte) (int, error) { return 0, r.err }

// A server may answer any statement by asking for a file. Here it does because we say so; what the driver gives is the same.
func TestServerAsksForFiles(t *testing.T) {
	server := startServer(t, testmysql.Options{Name: "asks", LocalInfile: true})
	server.Exec(t, "CREATE TABLE shop.t (id VARCHAR(200))")
	e := endpoint(t, "target", server.Addr, tlsconf.Config{CA: server.CAFile})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, "/etc/passwd", "Reader::" + file, "Reader::binseal-1"} {
		s := open(t, e, SessionOptions{Init: TargetInit(time.Minute, time.Second)})
		if _, err := s.Exec(t.Context(), "LOAD DATA LOCAL INFILE '"+name+"' INTO TABLE shop.t"); err == nil {
			t.Errorf("%s was given", name)
		}
		rows, err := s.QueryContext(t.Context(), "LOAD DATA LOCAL INFILE '"+name+"' INTO TABLE shop.t")
		if err == nil {
			t.Errorf("%s was given to a query", name)
			_ = rows.Close()
		}
	}
	if n := server.QueryT(t, "SELECT COUNT(*) FROM shop.t")[0][0]; n != "0" {
		t.Errorf("%s lines of our files are on the server", n)
	}
}
