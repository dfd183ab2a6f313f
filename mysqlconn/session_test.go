package mysqlconn

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

func open(t *testing.T, e *Endpoint, o SessionOptions) *Session {
	t.Helper()
	s, err := e.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func exec(t *testing.T, s *Session, text string) []int64 {
	t.Helper()
	counts, err := s.Exec(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// One server for all that a session does, with the settings that an operator's configuration may have against us.
func TestSession(t *testing.T) {
	server := startServer(t, testmysql.Options{Name: "session", RequireSecureTransport: true, Extra: []string{
		"--max-allowed-packet=8M", "--completion-type=CHAIN", "--autocommit=0", "--sql-mode=ANSI_QUOTES", "--transaction-isolation=SERIALIZABLE",
		"--innodb-print-all-deadlocks=OFF",
	}})
	server.Exec(t, "SET GLOBAL sql_safe_updates=1", "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(100), UNIQUE KEY `by v` (v), UNIQUE KEY v2 (v, id))",
		"CREATE TABLE shop.keyless (v INT)")
	var evidence []tlsconf.Evidence
	e := endpoint(t, "target", server.Addr, tlsconf.Config{CA: server.CAFile})
	e.OnEvidence = func(ev tlsconf.Evidence) { evidence = append(evidence, ev) }
	o := SessionOptions{Init: TargetInit(60*time.Second, 1500*time.Millisecond)}

	t.Run("a session knows its server", func(t *testing.T) { testIdentity(t, e, o, server, &evidence) })
	t.Run("the applier's settings hold, with no privilege for them", func(t *testing.T) { testSettings(t, open(t, e, o)) })
	t.Run("a metadata session reads definitions in one form", func(t *testing.T) {
		s := open(t, e, SessionOptions{Metadata: true, Init: []string{"SET SESSION lock_wait_timeout=7"}})
		var name, text string
		if err := s.QueryRow(t.Context(), "SHOW CREATE TABLE shop.keyless").Scan(&name, &text); err != nil || !strings.Contains(text, "`v` int") {
			t.Errorf("%s, %v", text, err)
		}
	})
	t.Run("each statement's matched rows are counted", func(t *testing.T) { testCounts(t, open(t, e, o)) })
	t.Run("errors are named without values", func(t *testing.T) { testNamedErrors(t, open(t, e, o)) })
	t.Run("a deadlock and a lock wait are conflicts", func(t *testing.T) { testLockConflict(t, open(t, e, o), open(t, e, o)) })
	t.Run("a killed session is lost and never comes back", func(t *testing.T) { testKill(t, e, o) })
	t.Run("a cancelled statement returns at once and ends the session", func(t *testing.T) { testCancel(t, open(t, e, o)) })
	t.Run("a lost reply is ambiguous and nothing is sent twice", func(t *testing.T) { testLostReply(t, *e, o) })
	t.Run("a statement beyond max_allowed_packet is refused by name", func(t *testing.T) {
		s := open(t, e, o)
		_, err := s.Exec(t.Context(), "SET @x='"+strings.Repeat("x", s.MaxAllowedPacket)+"'")
		if err == nil || !strings.Contains(err.Error(), "max_allowed_packet") || Retryable(err) || Ambiguous(err) {
			t.Errorf("got %v", err)
		}
		begin, end := "SET @x='", "'"
		exec(t, s, begin+strings.Repeat("x", s.MaxAllowedPacket-2-len(begin)-len(end))+end) // The longest that may be sent.
	})
	t.Run("a read timeout loses the session", func(t *testing.T) {
		s := open(t, e, SessionOptions{ReadTimeout: 300 * time.Millisecond})
		if _, err := s.Exec(t.Context(), "DO SLEEP(5)"); !Retryable(err) || !Ambiguous(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a bad setting is named", func(t *testing.T) {
		_, err := e.Open(t.Context(), SessionOptions{Init: []string{"SET SESSION sql_log_bin=0"}})
		if f := change.FaultOf(err); f == nil || f.Code != "BS-PRIVILEGE" || !strings.Contains(err.Error(), "session settings") {
			t.Errorf("got %v", err)
		}
	})
}

func testIdentity(t *testing.T, e *Endpoint, o SessionOptions, server *testmysql.Server, evidence *[]tlsconf.Evidence) {
	s := open(t, e, o)
	want := []string{server.QueryT(t, "SELECT @@server_uuid")[0][0], "target"}
	if diff := cmp.Diff(want, []string{s.ServerUUID, s.Leg}); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(s.Version, server.Version) || s.MaxAllowedPacket != 8<<20 || s.ConnID == 0 || !strings.HasPrefix(s.Cipher, "TLS_") {
		t.Errorf("%+v", s)
	}
	ev := (*evidence)[len(*evidence)-1]
	if ev.Peer != server.Addr || ev.Cipher != s.Cipher || ev.Version != "TLS 1.3" || ev.Curve == "" || ev.NotAfter.Before(time.Now()) {
		t.Errorf("evidence %+v", ev)
	}
	if len(*evidence) != 1 {
		t.Errorf("%d handshakes for one session", len(*evidence))
	}
}

func testSettings(t *testing.T, s *Session) {
	got := map[string]string{}
	rows, err := s.QueryContext(t.Context(), `SHOW SESSION VARIABLES WHERE Variable_name IN ('time_zone', 'sql_mode',
		'transaction_isolation', 'foreign_key_checks', 'unique_checks', 'wait_timeout', 'innodb_lock_wait_timeout', 'lock_wait_timeout',
		'character_set_client', 'character_set_connection', 'character_set_results', 'autocommit', 'completion_type', 'sql_safe_updates')`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
		got[name] = value
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"time_zone": "+00:00", "sql_mode": "NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION",
		"transaction_isolation": "READ-COMMITTED", "foreign_key_checks": "OFF", "unique_checks": "ON", "wait_timeout": "60",
		"innodb_lock_wait_timeout": "2", "lock_wait_timeout": "2", "character_set_client": "utf8mb4", "character_set_connection": "utf8mb4",
		"character_set_results": "utf8mb4", "autocommit": "ON", "completion_type": "NO_CHAIN", "sql_safe_updates": "OFF",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session variables (-want +got):\n%s", diff)
	}
}

// The applier proves each epoch by these counts: an update that changes nothing counts as matched, a missing row
// as 0, and none is attributed to its neighbour.
func testCounts(t *testing.T, s *Session) {
	got := exec(t, s, "BEGIN; INSERT INTO shop.t VALUES (1,'a'),(2,'b'); UPDATE shop.t SET v='a' WHERE id=1; UPDATE shop.t SET v='z' WHERE id=9;"+
		" SELECT 1 UNION SELECT 2; DELETE FROM shop.t WHERE id IN (1,2,3); SET @x=1; COMMIT")
	if diff := cmp.Diff([]int64{0, 2, 1, 0, 0, 2, 0, 0}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{0}, exec(t, s, "DO 1")); diff != "" {
		t.Errorf("counts of one statement (-want +got):\n%s", diff)
	}
}

func testNamedErrors(t *testing.T, s *Session) {
	exec(t, s, "INSERT INTO shop.t VALUES (1,'"+canary+"')")
	for text, want := range map[string]string{
		"INSERT INTO shop.t VALUES (1,'" + canary + "')":    "target: Error 1062 (23000): duplicate key on key 't.PRIMARY'",
		"INSERT INTO shop.t VALUES (2,'" + canary + "')":    "target: Error 1062 (23000): duplicate key",
		"INSERT INTO shop.t VALUES ('" + canary + "', 'x')": "target: Error 1366 (HY000): a value is not valid for its column",
		"SELECT '" + canary + "' FROM":                      "target: Error 1064 (42000): syntax error",
		"DO 1; DELETE FROM shop.`" + canary + "`; DO 1":     "target: Error 1146 (42S02): the table does not exist",
		"SELECT '" + canary + "' FROM mysql.user":           "target: the account lacks a privilege: Error 1142 (42000): privilege missing on the table [BS-PRIVILEGE]",
	} {
		_, err := s.Exec(t.Context(), text)
		if err == nil {
			t.Fatalf("%s passed", text)
		}
		got := Describe("target", "", err).Error()
		if diff := cmp.Diff(want, got); diff != "" || strings.Contains(err.Error(), canary) {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	exec(t, s, "DELETE FROM shop.t")
	var n int
	err := s.QueryRow(t.Context(), "SELECT ?", canary).Scan(&n)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a value that does not convert: %v", err)
	}
	if err := s.QueryRow(t.Context(), "SELECT 1 FROM shop.t WHERE id=?", 77).Scan(&n); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
}

func testLockConflict(t *testing.T, a, b *Session) {
	exec(t, a, "INSERT INTO shop.t VALUES (1,'a'),(2,'b')")
	exec(t, a, "BEGIN; UPDATE shop.t SET v='c' WHERE id=1")
	_, err := b.Exec(t.Context(), "UPDATE shop.t SET v='d' WHERE id=1")
	if n, _ := Number(err); n != lockWaitTimeout || !LockConflict(err) || !Retryable(err) {
		t.Errorf("lock wait: %v", err)
	}
	exec(t, b, "BEGIN; UPDATE shop.t SET v='e' WHERE id=2")
	done := make(chan error)
	go func() {
		_, err := a.Exec(t.Context(), "UPDATE shop.t SET v='f' WHERE id=2")
		done <- err
	}()
	_, err = b.Exec(t.Context(), "UPDATE shop.t SET v='g' WHERE id=1")
	if err == nil {
		exec(t, b, "ROLLBACK")
	}
	other := <-done
	if n, m := numberOf(err), numberOf(other); n != deadlock && m != deadlock {
		t.Errorf("no deadlock: %v and %v", err, other)
	}
	exec(t, a, "ROLLBACK")
	exec(t, b, "ROLLBACK; DELETE FROM shop.t")
}

func numberOf(err error) uint16 {
	n, _ := Number(err)
	return n
}

func testKill(t *testing.T, e *Endpoint, o SessionOptions) {
	victim, killer := open(t, e, o), open(t, e, o)
	if err := killer.Kill(t.Context(), victim.ConnID); err != nil {
		t.Fatal(err)
	}
	if err := killer.Kill(t.Context(), 99999999); err != nil {
		t.Errorf("a thread that is gone: %v", err)
	}
	var lost bool
	for range 3 { // The first answer may still be the server's farewell; after it there must be no second life.
		_, err := victim.Exec(t.Context(), "DO 1")
		if !Retryable(err) {
			t.Fatalf("got %v", err)
		}
		lost = numberOf(err) == 0 && !Ambiguous(err)
	}
	if !lost {
		t.Error("the session still answers")
	}
	if err := victim.QueryRow(t.Context(), "SELECT 1").Scan(new(int)); !Retryable(err) {
		t.Errorf("query: %v", err)
	}
}

func testCancel(t *testing.T, s *Session) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := s.Exec(ctx, "DO SLEEP(5)")
	if took := time.Since(begin); took > 2*time.Second || !errors.Is(err, context.DeadlineExceeded) || !Ambiguous(err) {
		t.Errorf("%v after %v", err, took)
	}
	if _, err := s.Exec(t.Context(), "DO 1"); !Retryable(err) {
		t.Errorf("the session lives on: %v", err)
	}
}

func testLostReply(t *testing.T, e Endpoint, o SessionOptions) {
	proxy, err := faultproxy.New(e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	watch := open(t, &e, o)
	e.Addr = proxy.Addr()
	s := open(t, &e, o)
	connections := proxy.Connections()
	exec(t, s, "BEGIN; INSERT INTO shop.keyless VALUES (1)")
	proxy.SwallowReplies()
	done := make(chan error)
	go func() {
		_, err := s.Exec(t.Context(), "COMMIT")
		done <- err
	}()
	rows := func() (n int) {
		if err := watch.QueryRow(t.Context(), "SELECT COUNT(*) FROM shop.keyless").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(5 * time.Second); rows() == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	proxy.Cut(faultproxy.RST)
	if err := <-done; !Ambiguous(err) || !Retryable(err) {
		t.Errorf("COMMIT without its reply: %v", err)
	}
	proxy.Flow()
	if _, err := s.Exec(t.Context(), "INSERT INTO shop.keyless VALUES (2)"); !Retryable(err) || Ambiguous(err) {
		t.Errorf("after the loss: %v", err)
	}
	if n := rows(); n != 1 || connections != 1 || proxy.Connections() != 0 {
		t.Errorf("%d rows, %d connections before and %d after", n, connections, proxy.Connections())
	}
}
