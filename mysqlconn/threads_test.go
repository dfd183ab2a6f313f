package mysqlconn

import (
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

// While a session wrote binary values, asking information_schema.PROCESSLIST for the ids of other sessions failed with
// error 3854: MySQL 9.7 converts the text of every running statement to utf8mb3. A claim could then not tell whether
// an old owner's sessions had ended.
func TestThreadsAreListedWhileBinaryValuesAreWritten(t *testing.T) {
	server := startServer(t, testmysql.Options{Name: "threads"})
	e := endpoint(t, "target", server.Addr, tlsconf.Config{CA: server.CAFile})
	busy, look := open(t, e, SessionOptions{}), open(t, e, SessionOptions{})
	done := make(chan error, 1)
	go func() {
		_, err := busy.Exec(t.Context(), "DO SLEEP(1), _binary'\xF0\\'\xFF\xC0'")
		done <- err
	}()
	time.Sleep(200 * time.Millisecond)
	threads, err := look.Threads(t.Context())
	if err != nil || !threads[busy.ConnID] || !threads[look.ConnID] || threads[1<<40] {
		t.Errorf("%v, %v", threads, err)
	}
	if _, err := look.Exec(t.Context(), "SELECT ID FROM information_schema.PROCESSLIST"); err == nil {
		t.Log("this server's information_schema.PROCESSLIST copes with binary values")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
