package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testaws"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// certify gives a running server another certificate. Connections that are open keep theirs.
func certify(t *testing.T, s *testmysql.Server, ca *testmysql.CA) {
	t.Helper()
	cert, err := ca.Issue(testmysql.IssueOptions{CommonName: s.Name})
	must(t, err)
	_, _, err = cert.Write(s.Dir, "server")
	must(t, err)
	s.Exec(t, "ALTER INSTANCE RELOAD TLS")
}

// fingerprints are those of the open connections by leg; a leg with two has neither.
func fingerprints(st stream.Status) map[string]string {
	seen := map[string]string{}
	for _, c := range st.Live {
		if old, known := seen[c.Leg]; known && old != c.Fingerprint {
			seen[c.Leg] = ""
			continue
		}
		seen[c.Leg] = c.Fingerprint
	}
	return seen
}

// Both servers get certificates of another CA, and the daemon a CA file and client certificates, while rows flow: no
// restart, and no row is lost. Accounts that need a client certificate keep the daemon out without its own.
func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	clientCA := newCA(t, "clients")
	own := func(name string) {
		cert, err := clientCA.Issue(testmysql.IssueOptions{CommonName: name, Client: true})
		must(t, err)
		_, _, err = cert.Write(r.Dir, "own")
		must(t, err)
	}
	own("binseal one")
	r.ClientCert = fmt.Sprintf(", cert: %q, key: %q", r.path("own-cert.pem"), r.path("own-key.pem"))
	servers := []*testmysql.Server{r.Source, r.Target}
	fresh := newCA(t, "fresh")
	for _, s := range servers {
		// The server's own list: who signs clients, and its own certificates. The daemon has a file of its own.
		must(t, os.WriteFile(s.CAFile, bytes.Join([][]byte{s.CA.PEM, clientCA.PEM, fresh.PEM}, nil), 0o644))
		s.CAFile = r.path(s.Name + "-ca.pem")
		must(t, os.WriteFile(s.CAFile, s.CA.PEM, 0o644))
		s.Exec(t, "ALTER INSTANCE RELOAD TLS")
	}
	r.Source.Exec(t, "ALTER USER repl REQUIRE X509")
	r.Target.Exec(t, "ALTER USER applier REQUIRE X509")
	r.carrySchema(t)
	d := r.Start(t, Normal)
	load := r.StartLoad(t, 3, Pace(5*time.Millisecond), false) // A DDL opens a session: with the broken file below it could not.
	before := d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming && len(fingerprints(st)) == 2 })
	for _, c := range before.Live {
		if strings.Replace(c.ServerVersion, "TLSv", "TLS ", 1) != c.Version || c.ServerCipher != c.Cipher || c.ConnectionID == 0 || !c.ClientCert {
			t.Errorf("the two ends of a connection tell different things: %+v", c)
		}
	}

	// Another CA on both servers; the daemon's file is still the old one. New connections are refused, on both legs.
	for _, s := range servers {
		certify(t, s, fresh)
	}
	for _, p := range []*faultproxy.Proxy{r.SourceProxy, r.TargetProxy} {
		p.Cut(faultproxy.FIN)
	}
	d.Await(t, 20*time.Second, "the unknown CA is refused", func(st stream.Status) bool {
		return st.Problem != nil && st.Problem.Code == "BS-TLS-REFUSED"
	})
	for _, s := range servers {
		must(t, os.WriteFile(s.CAFile, fresh.PEM, 0o644))
	}
	after := d.Await(t, 20*time.Second, "back with the new CA", func(st stream.Status) bool {
		return st.State == stream.StateStreaming && len(fingerprints(st)) == 2
	})
	for leg, fp := range fingerprints(after) {
		if fp == "" || fp == fingerprints(before)[leg] {
			t.Errorf("%s: the certificate is %q, before %q", leg, fp, fingerprints(before)[leg])
		}
	}

	// A new client certificate and new server certificates, used at SIGHUP: nothing breaks, nothing is refused.
	own("binseal two")
	for _, s := range servers {
		certify(t, s, fresh)
	}
	d.Signal(syscall.SIGHUP)
	renewed := d.Await(t, 20*time.Second, "connected anew", func(st stream.Status) bool {
		now, then := fingerprints(st), fingerprints(after)
		return st.State == stream.StateStreaming && now["source"] != "" && now["target"] != "" && now["source"] != then["source"] && now["target"] != then["target"]
	})
	if renewed.Totals.Reconnects != after.Totals.Reconnects {
		t.Errorf("SIGHUP was counted as trouble: %d reconnects, before %d", renewed.Totals.Reconnects, after.Totals.Reconnects)
	}
	for _, c := range renewed.Live {
		if c.ClientFingerprint == before.Live[0].ClientFingerprint {
			t.Errorf("%s: still the old client certificate", c.Leg)
		}
	}

	// A broken file: SIGHUP says so and leaves the connections as they are.
	must(t, os.WriteFile(r.path("own-key.pem"), []byte("no key"), 0o600))
	d.Signal(syscall.SIGHUP)
	time.Sleep(time.Second)
	if st, err := d.Status(t.Context()); err != nil || st.State != stream.StateStreaming || !strings.Contains(d.Log(), "not connecting anew") {
		t.Errorf("a broken key file: %v, %s\n%s", err, st.State, tail(d.Log()))
	}
	own("binseal three")
	load.Stop()
	r.AwaitCaughtUp(t, d, time.Minute)
	r.Equal(t)
	d.Stop(t)
	for _, p := range []*faultproxy.Proxy{r.SourceProxy, r.TargetProxy} { // Invariant 5; a server may say in clear that a handshake failed.
		for _, plain := range p.Plaintext() {
			if strings.HasPrefix(plain, faultproxy.ToServer.String()) {
				t.Error(plain)
			}
		}
	}
}

// AWS Secrets Manager rotates the applier's password while rows flow: first the secret, then the account, and the other
// way round. The daemon tries what else the secret has, and loses nothing.
func TestSecretIsRotatedUnderLoad(t *testing.T) {
	t.Parallel() // It waits for half a minute.
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop"
	aws := testaws.New(t)
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	r.TargetPassword, r.Env = fmt.Sprintf("{aws_secret: %q}", arn), aws.Env()
	set := func(current, previous string) {
		aws.Set(func(a *testaws.AWS) {
			a.Secrets[arn] = testaws.Secret{Current: fmt.Sprintf(`{"username":"applier","password":%q}`, current), Previous: previous}
		})
	}
	set(password, "")
	r.carrySchema(t)
	d := r.Start(t, Normal)
	load := r.StartLoad(t, 3, Pace(5*time.Millisecond), false)
	runs := uint64(0)
	streams := func(what string) {
		t.Helper()
		st := d.Await(t, 20*time.Second, what, func(st stream.Status) bool { return st.State == stream.StateStreaming && st.Totals.Runs > runs })
		runs = st.Totals.Runs
		if p := st.Problem; p != nil {
			t.Errorf("%s: %+v", what, p)
		}
		time.Sleep(300 * time.Millisecond)
	}
	streams("the first password")

	set("rotated-one", password) // The secret is ahead of the account.
	time.Sleep(100 * time.Millisecond)
	r.TargetProxy.Cut(faultproxy.RST)
	streams("the previous password, while the account has it")
	r.Target.Exec(t, "ALTER USER applier IDENTIFIED BY 'rotated-one'")
	r.TargetProxy.Cut(faultproxy.RST)
	streams("the current password")

	r.Target.Exec(t, "ALTER USER applier IDENTIFIED BY 'rotated-two'") // The account is ahead of the secret: nobody knows it yet.
	r.TargetProxy.Cut(faultproxy.RST)
	d.Await(t, 20*time.Second, "refused", func(st stream.Status) bool { return st.Problem != nil && st.Problem.Code == "BS-AUTH-REFUSED" })
	set("rotated-two", "rotated-one")
	streams("the secret has followed")

	aws.Fail("GetSecretValue", testaws.Denied, -1) // The role loses its right, and gets it back.
	time.Sleep(31 * time.Second)                   // Beyond what is kept of the secret.
	r.TargetProxy.Cut(faultproxy.RST)
	d.Await(t, 20*time.Second, "AWS denies", func(st stream.Status) bool { return st.Problem != nil && st.Problem.Code == "BS-AWS-DENIED" })
	aws.Clear("GetSecretValue")
	d.Await(t, time.Minute, "AWS allows again", func(st stream.Status) bool { return st.State == stream.StateStreaming })

	load.Stop()
	r.AwaitCaughtUp(t, d, time.Minute)
	r.Equal(t)
	d.Stop(t)
	for _, secret := range []string{"rotated-one", "rotated-two", password, "secret-access-key-canary"} {
		if strings.Contains(d.Log(), secret) {
			t.Errorf("the log shows a secret")
		}
	}
}

// Passwords expire as tokens do: each is good for about a second, while connections break and are made anew all the time.
// None of them shows, and no row is lost.
func TestPasswordsExpireUnderLoad(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			s := seed(t)
			r := NewRig(t, Options{Mode: mode, Seed: s})
			rnd := rand.New(rand.NewPCG(s, 3))
			r.carrySchema(t)
			d := r.Start(t, Normal)
			load := r.StartLoad(t, 3, Pace(5*time.Millisecond), true)
			accounts := map[string]*testmysql.Server{"repl": r.Source, "applier": r.Target}
			var tokens []string
			for range 12 {
				token := fmt.Sprintf("token-%016x", rnd.Uint64())
				for user, server := range accounts {
					server.Exec(t, fmt.Sprintf("ALTER USER %s IDENTIFIED BY '%s' RETAIN CURRENT PASSWORD", user, token))
				}
				must(t, os.WriteFile(r.path("password"), []byte(token), 0o600))
				tokens = append(tokens, token)
				r.SourceProxy.Cut(faultproxy.How(rnd.IntN(2)))
				time.Sleep(time.Duration(100+rnd.IntN(400)) * time.Millisecond)
				r.TargetProxy.Cut(faultproxy.How(rnd.IntN(2)))
				time.Sleep(time.Duration(100+rnd.IntN(400)) * time.Millisecond)
				for user, server := range accounts { // The one before has expired.
					server.Exec(t, fmt.Sprintf("ALTER USER %s DISCARD OLD PASSWORD", user))
				}
			}
			load.Stop()
			r.AwaitCaughtUp(t, d, time.Minute)
			r.Equal(t)
			st, err := d.Status(t.Context())
			if err != nil || st.Totals.Runs < 10 {
				t.Errorf("%d runs, %v: the connections were not made anew often enough to prove anything", st.Totals.Runs, err)
			}
			d.Stop(t)
			for _, token := range append(tokens, password) {
				if strings.Contains(d.Log(), token) {
					t.Errorf("the log shows a token")
				}
			}
		})
	}
}

// The target fails over as an Aurora cluster does: the writer's name leads to another server that has all commits, and the
// old writer goes on as a reader, with our connections.
func TestTargetFailsOver(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			o := testmysql.TargetOptions()
			o.CA, o.Binlog, o.GTID = newCA(t, "targets"), true, true
			old := testmysql.StartT(t, o)
			o.ServerID, o.Name = 202, "second"
			next := testmysql.StartT(t, o)
			r := NewRig(t, Options{Mode: mode, Seed: seed(t), Target: old})
			must(t, old.CreateReplicationUser(t.Context(), "storage", password)) // Stands for the storage that Aurora's instances share.
			next.Exec(t, fmt.Sprintf(`CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='storage', SOURCE_PASSWORD='%s',
				SOURCE_SSL=1, SOURCE_SSL_CA='%s', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1`, old.Port, password, old.CAFile), "START REPLICA", "SET GLOBAL super_read_only=ON")
			r.carrySchema(t)
			d := r.Start(t, Normal)
			load := r.StartLoad(t, 3, Pace(5*time.Millisecond), true)
			time.Sleep(2 * time.Second)
			for range 3 { // There, back, and there again.
				old.Exec(t, "SET GLOBAL super_read_only=ON")
				if got := next.QueryT(t, fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET('%s', 60)", executed(t, old)))[0][0]; got != "0" {
					t.Fatalf("the second server does not follow: %s", got)
				}
				next.Exec(t, "STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only=OFF", "SET GLOBAL read_only=OFF")
				r.TargetProxy.SetUpstream(next.Addr) // Connections to the old one stay.
				uuid := next.QueryT(t, "SELECT @@server_uuid")[0][0]
				d.Await(t, 30*time.Second, "it writes to the new writer", func(st stream.Status) bool {
					return st.State == stream.StateStreaming && r.sessionsOn(t, next) > 2
				})
				time.Sleep(time.Second)
				if n := r.sessionsOn(t, old); n != 0 {
					t.Errorf("%d sessions are left on the server that reads only; the writer is %s", n, uuid)
				}
				old.Exec(t, fmt.Sprintf(`CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='storage', SOURCE_PASSWORD='%s',
					SOURCE_SSL=1, SOURCE_SSL_CA='%s', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1`, next.Port, password, next.CAFile), "START REPLICA")
				old, next = next, old
			}
			load.Stop()
			r.Target = old
			r.AwaitCaughtUp(t, d, time.Minute)
			r.Equal(t)
			d.Stop(t)
		})
	}
}

// sessionsOn counts the applier's sessions on a server.
func (r *Rig) sessionsOn(t *testing.T, s *testmysql.Server) int {
	t.Helper()
	rows, err := s.Query(context.WithoutCancel(t.Context()), "SELECT COUNT(*) FROM information_schema.processlist WHERE user='applier'")
	must(t, err)
	var n int
	_, err = fmt.Sscan(rows[0][0], &n)
	must(t, err)
	return n
}
