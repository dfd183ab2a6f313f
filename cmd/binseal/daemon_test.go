package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// pair is a source and a target with the daemon's accounts, and a folder for its files.
type pair struct {
	source, target *testmysql.Server
	dir            string
}

func startPair(t *testing.T) pair {
	t.Helper()
	p := pair{source: testmysql.StartT(t, testmysql.SourceOptions()), target: testmysql.StartT(t, testmysql.TargetOptions()), dir: t.TempDir()}
	if err := errors.Join(p.source.CreateReplicationUser(t.Context(), "repl", "s3cret-source"),
		p.target.CreateApplierUser(t.Context(), "applier", "s3cret-target", "shop"),
		os.WriteFile(filepath.Join(p.dir, "source-password"), []byte("s3cret-source\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*testmysql.Server{p.source, p.target} {
		s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)")
	}
	t.Setenv("BINSEAL_TEST_PASSWORD", "s3cret-target")
	return p
}

// config writes a config that trusts ca for the source, and gives its path.
func (p pair) config(t *testing.T, ca, listen string) string {
	t.Helper()
	text := "stream: shop\nsource:\n  addr: " + p.source.Addr + "\n  user: repl\n  password: {file: " +
		filepath.Join(p.dir, "source-password") + "}\n  tls: {ca: " + ca + "}\n" +
		"target:\n  addr: " + p.target.Addr + "\n  user: applier\n  password: {env: BINSEAL_TEST_PASSWORD}\n  tls: {ca: " +
		p.target.CAFile + "}\n" + "tables: {include: [\"shop.*\"]}\nhttp: {listen: \"" + listen + "\"}\n"
	path := filepath.Join(p.dir, "binseal.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// check on real servers: from the file on disk to the exit code.
func TestCheckOnRealServers(t *testing.T) {
	p := startPair(t)
	var shown strings.Builder
	check := func(args ...string) (int, string, string) {
		code, stdout, stderr := command(append([]string{"check"}, args...)...)
		shown.WriteString(stdout + stderr)
		return code, stdout, stderr
	}
	code, stdout, stderr := check("-c", p.config(t, p.source.CAFile, "127.0.0.1:0"))
	if code != 0 || !strings.Contains(stdout, "ready: 0 must") {
		t.Errorf("check: code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = check("--json", "-c", p.config(t, p.target.CAFile, "127.0.0.1:0"))
	var got struct {
		OK       bool
		Findings []struct{ Code, Severity string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 3 || got.OK || stderr != "" || got.Findings[0].Code != "SOURCE_CONNECT" {
		t.Errorf("check with the wrong CA: code %d, %v, stderr %s\n%s", code, err, stderr, stdout)
	}
	code, _, stderr = check("-c", p.config(t, filepath.Join(p.dir, "absent.pem"), "127.0.0.1:0"))
	if code != 3 || !strings.Contains(stderr, "BS-TLS-CONFIG") {
		t.Errorf("check without a CA file: code %d\n%s", code, stderr)
	}
	if strings.Contains(shown.String(), "s3cret") {
		t.Errorf("a password is shown:\n%s", &shown)
	}
}

// process is the daemon as a process of its own.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer // Read once the process has ended.
	ended  chan struct{}
}

func startDaemon(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), self, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asDaemon+"=1")
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", &p.stderr)
		}
	})
	return p
}

// code waits for the end and gives the exit code.
func (p *process) code(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("the daemon is still there after %s", within)
		return -1
	}
}

// until asks the daemon's listener until answer is satisfied.
func until(t *testing.T, url string, satisfied func(status int, body []byte) bool) {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last := "no answer"
	for ctx.Err() == nil {
		if response, err := client.Get(url); err == nil {
			var body bytes.Buffer
			_, _ = body.ReadFrom(response.Body)
			response.Body.Close()
			if satisfied(response.StatusCode, body.Bytes()) {
				return
			}
			last = response.Status + " " + body.String()
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("GET %s: %s", url, last)
}

func TestRunStreamsAndStopsOnSIGTERM(t *testing.T) {
	p := startPair(t)
	listen := freeAddr(t)
	file := p.config(t, p.source.CAFile, listen)
	daemon := startDaemon(t, "run", "-c", file)
	until(t, "http://"+listen+"/readyz", func(status int, _ []byte) bool { return status == http.StatusOK })
	p.source.Exec(t, "INSERT INTO shop.orders VALUES (1),(2),(3)")
	until(t, "http://"+listen+"/lag?max=1s", func(status int, body []byte) bool {
		var lag stream.Lag
		return status == http.StatusOK && json.Unmarshal(body, &lag) == nil && lag.CaughtUp && rows(t, p.target) == "3"
	})
	until(t, "http://"+listen+"/metrics", func(status int, body []byte) bool {
		return status == http.StatusOK && bytes.Contains(body, []byte("binseal_"))
	})
	if code, text, stderr := command("status", "-c", file); code != 0 || !strings.Contains(text, "state        streaming") ||
		!strings.Contains(text, "TLS 1.3") {
		t.Errorf("status: code %d\n%s%s", code, text, stderr)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := daemon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := daemon.code(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	for line := range strings.Lines(daemon.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line that is not JSON: %s", line)
		}
	}
	if strings.Contains(daemon.stderr.String(), "s3cret") {
		t.Error("the log shows a password")
	}
}

func TestRunThatTheEnvironmentRefusesIsClass3(t *testing.T) {
	p := startPair(t)
	daemon := startDaemon(t, "run", "-c", p.config(t, p.target.CAFile, "127.0.0.1:0"))
	if code := daemon.code(t, 20*time.Second); code != 3 || !strings.Contains(daemon.stderr.String(), "BS-TLS-REFUSED") {
		t.Errorf("exit code %d, want 3 and BS-TLS-REFUSED", code)
	}
}

// rows counts the target's rows.
func rows(t *testing.T, s *testmysql.Server) string {
	t.Helper()
	all, err := s.Query(t.Context(), "SELECT COUNT(*) FROM shop.orders")
	if err != nil {
		t.Fatal(err)
	}
	return all[0][0]
}

// freeAddr is a loopback address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
