package applier

import (
	"fmt"
	"testing"
	"time"

	"github.com/binseal/binseal/mysqlconn"
)

// The server's side of unique.go: sessions that give up values and take fresh ones do not wait for each other, whatever
// lies between their rows; one that takes a value whose old entry is not purged locks the gaps around it.
func TestServerLocksGapsOnlyAroundReusedUniqueValues(t *testing.T) {
	l := newLive(t)
	l.server.Exec(t, "CREATE TABLE shop.n (id INT PRIMARY KEY, u VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, v INT, UNIQUE KEY u (u), KEY v (v))",
		"INSERT INTO shop.n WITH RECURSIVE s AS (SELECT 0 AS i UNION ALL SELECT i+1 FROM s WHERE i<999) SELECT i, CONCAT('m',LPAD(i,4,'0')), i DIV 10 FROM s")
	open := func(init ...string) func(string) error {
		s, err := l.target.Open(t.Context(), mysqlconn.SessionOptions{Init: append(mysqlconn.TargetInit(time.Minute, time.Second), init...)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return func(sql string) error {
			_, err := s.Exec(t.Context(), sql)
			return err
		}
	}
	snapshot, a, b := open("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"), open(), open()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	must("an old snapshot, so that nothing is purged", snapshot("START TRANSACTION WITH CONSISTENT SNAPSHOT"))
	must("a", a("START TRANSACTION"))
	must("b", b("START TRANSACTION"))
	for i := range 100 { // In turn, between the other's rows: an index's neighbours belong to both.
		x, y := 4*i, 4*i+2
		must("a", a(fmt.Sprintf("INSERT INTO shop.n VALUES (%d,'m%04d-a',%d); UPDATE shop.n SET u='n%04d', v=5 WHERE id=%d; DELETE FROM shop.n WHERE id=%d", 1000+x, x, i, x, x, x+1)))
		must("b", b(fmt.Sprintf("INSERT INTO shop.n VALUES (%d,'m%04d-b',%d); UPDATE shop.n SET u='n%04d', v=5 WHERE id=%d; DELETE FROM shop.n WHERE id=%d", 1000+y, x, i, y, y, y+1)))
	}
	must("a", a("COMMIT"))
	must("b", b("COMMIT"))

	for what, reuse := range map[string]string{
		"given up by the DELETE of id 5": "INSERT INTO shop.n VALUES (5000,'M0005',1)",
		"spelt anew":                     "UPDATE shop.n SET u='M0006' WHERE id=6; UPDATE shop.n SET u='M0007' WHERE id=7",
	} {
		must("a", a("START TRANSACTION; "+reuse))
		must("b", b("START TRANSACTION"))
		if err := b("INSERT INTO shop.n VALUES (5001,'m0005-',1),(5002,'m0007-',1)"); !mysqlconn.LockConflict(err) {
			t.Errorf("beside a value that is %s: %v, want a wait for locks: if the server has none, unique.go is not needed", what, err)
		}
		must("a", a("ROLLBACK"))
		must("b", b("ROLLBACK"))
	}
}
