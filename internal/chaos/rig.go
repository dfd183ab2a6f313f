// Package chaos proves recovery by breaking things: it runs the real daemon between real servers under load, kills
// it at random moments and at each named point of the commit protocol, breaks its connections, stops and replaces
// it, and ends each run by comparing every table of both sides.
//
// The package holds the rig and the load; the experiments are its tests. Only tests use it.
package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"

	"go.uber.org/goleak"
)

// Build names a variant of the daemon by its build tags.
type Build string

// The builds of the daemon.
const (
	Normal     Build = "crashpoints"
	WeakFence  Build = "crashpoints,weak_fence"  // Negative control: the mark matches whoever owns the stream.
	WeakRecord Build = "crashpoints,weak_record" // Negative control: followers' records are ignored.
	// Negative control: keys are compared as bytes, whatever their collation.
	WeakCollation Build = "crashpoints,weak_collation"
)

var builds = struct {
	mu    sync.Mutex // Guards paths and dir.
	dir   string
	paths map[Build]string
}{paths: map[Build]string{}}

// Binary builds the daemon once per variant and test process.
func Binary(t testing.TB, b Build) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if p, ok := builds.paths[b]; ok {
		return p
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "binseal-builds-")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir = dir
	}
	path := filepath.Join(builds.dir, fmt.Sprintf("binseal-%d", len(builds.paths)))
	args := []string{"build", "-tags", string(b), "-o", path}
	if raceDetector() {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "github.com/binseal/binseal/cmd/binseal")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", b, err, out)
	}
	builds.paths[b] = path
	return path
}

// raceDetector reports that daemons are built with the race detector: `make race`.
func raceDetector() bool { return os.Getenv("BINSEAL_RACE") != "" }

// Main is the TestMain of a package whose tests use the rig: it runs them, looks for goroutines that they left behind,
// and deletes what Binary has built.
func Main(m *testing.M) {
	// The collations' library brings a logger that starts a goroutine when the process starts.
	glog := goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon")
	goleak.VerifyTestMain(m, glog, goleak.Cleanup(func(code int) {
		removeBuilds()
		os.Exit(code)
	}))
}

func removeBuilds() {
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
	}
}

// Rig is a source, a target, a proxy on each leg, and the config of a stream between them.
type Rig struct {
	Source, Target           *testmysql.Server
	SourceProxy, TargetProxy *faultproxy.Proxy
	Dir                      string
	Name                     string // Of the stream.
	Mode                     string
	Sessions                 int
	EpochRows                int // apply.epoch_rows; 0 for the default.
	Seed                     uint64
	Include                  string            // A pattern of tables.include beside shop.*; "" for none. The applier needs grants for it.
	Exclude                  string            // The list of tables.exclude, as YAML; "" for none.
	Rename                   map[string]string // tables.rename.
	ServerID                 uint32            // source.server_id; 0 for the one derived from the stream's name.
	AtRest                   string            // The section target.at_rest, as YAML; "" for the default.
	ClientCert               string            // More of both tls sections: ", cert: …, key: …".
	TargetPassword           string            // The value of target.password, as YAML; "" for the password's file.
	Extra                    string            // More lines of the config.
	Env                      []string          // More of the environment of its processes.
}

// Options of a rig.
type Options struct {
	Mode     string // apply.mode
	Sessions int    // Default 4.
	Seed     uint64
	Source   *testmysql.Server // Shared servers; nil starts new ones.
	Target   *testmysql.Server
}

const password = "chaos-password"

// NewRig starts what is missing, makes accounts and the empty schema shop on both sides.
func NewRig(t testing.TB, o Options) *Rig {
	t.Helper()
	if o.Sessions == 0 {
		o.Sessions = 4 // Two for each of two split epochs at a time.
	}
	r := &Rig{Source: o.Source, Target: o.Target, Dir: t.TempDir(), Mode: o.Mode, Sessions: o.Sessions, Name: "chaos", Seed: o.Seed}
	if r.Source == nil {
		r.Source = testmysql.StartT(t, testmysql.SourceOptions())
	}
	if r.Target == nil {
		r.Target = testmysql.StartT(t, testmysql.TargetOptions())
	}
	must(t, r.Source.CreateReplicationUser(t.Context(), "repl", password))
	must(t, r.Target.CreateApplierUser(t.Context(), "applier", password, "shop"))
	must(t, os.WriteFile(filepath.Join(r.Dir, "password"), []byte(password), 0o600))
	r.SourceProxy, r.TargetProxy = proxyTo(t, r.Source.Addr), proxyTo(t, r.Target.Addr)
	return r
}

func proxyTo(t testing.TB, addr string) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(addr)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Config writes a binseal.yaml and gives its path. extra is appended.
func (r *Rig) Config(t testing.TB, listen, extra string) string {
	t.Helper()
	text := fmt.Sprintf(`stream: %s
source:
  addr: %s
  user: repl
  password: {file: %q}
  tls: {ca: %q%s%s}%s
target:
  addr: %s
  user: applier
  password: %s
  tls: {ca: %q%s}%s
tables: {include: ["shop.*", %q]%s, rename: %s}
apply: {mode: %s, sessions: %d%s}
http: {listen: "%s"}
%s`, r.Name, r.SourceProxy.Addr(), r.path("password"), r.Source.CAFile, r.legacy(), r.ClientCert, r.serverID(),
		r.TargetProxy.Addr(), cmp.Or(r.TargetPassword, fmt.Sprintf("{file: %q}", r.path("password"))), r.Target.CAFile, r.ClientCert, prefixed("\n  at_rest: ", r.AtRest),
		cmp.Or(r.Include, "shop.*"), prefixed(", exclude: ", r.Exclude), flow(r.Rename), r.Mode, r.Sessions, r.epochRows(), listen, r.Extra+extra)
	f, err := os.CreateTemp(r.Dir, "binseal-*.yaml")
	must(t, err)
	_, err = f.WriteString(text)
	must(t, errors.Join(err, f.Close()))
	return f.Name()
}

// legacy is the source's TLS option beside the CA.
func (r *Rig) legacy() string {
	if r.Source.LegacyTLS() {
		return ", legacy: true"
	}
	return ""
}

func (r *Rig) epochRows() string {
	if r.EpochRows == 0 {
		return ""
	}
	return fmt.Sprintf(", epoch_rows: %d", r.EpochRows)
}

// flow is a map in YAML's flow style.
func flow(m map[string]string) string {
	var pairs []string
	for key, value := range m {
		pairs = append(pairs, fmt.Sprintf("%q: %q", key, value))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

func (r *Rig) serverID() string {
	if r.ServerID == 0 {
		return ""
	}
	return fmt.Sprintf("\n  server_id: %d", r.ServerID)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// Command runs one command of binseal with the rig's config to its end and gives its exit code and output.
func (r *Rig) Command(ctx context.Context, t testing.TB, args ...string) (code int, out string) {
	t.Helper()
	return r.commandBeside(ctx, t, "127.0.0.1:0", args...)
}

// commandBeside is Command with the listener of a daemon in the config.
func (r *Rig) commandBeside(ctx context.Context, t testing.TB, listen string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, Binary(t, Normal), append(args, "-c", r.Config(t, listen, ""))...)
	cmd.Env = append(os.Environ(), r.Env...)
	text, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		must(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func (r *Rig) path(name string) string { return filepath.Join(r.Dir, name) }

// Daemon is a running binseal.
type Daemon struct {
	cmd    *exec.Cmd
	listen string
	log    *lockedBuffer
	done   chan struct{} // Closed when the process has ended.
}

type lockedBuffer struct {
	mu sync.Mutex // Guards b.
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Start runs the daemon. env are additional variables, such as the crash point.
func (r *Rig) Start(t testing.TB, b Build, env ...string) *Daemon {
	t.Helper()
	return r.start(t, Binary(t, b), env)
}

func (r *Rig) start(t testing.TB, binary string, env []string) *Daemon {
	t.Helper()
	listen := freeAddr(t)
	d := &Daemon{listen: listen, log: &lockedBuffer{}, done: make(chan struct{})}
	d.cmd = exec.Command(binary, "run", "-c", r.Config(t, listen, ""))
	d.cmd.Env = slices.Concat(os.Environ(), r.Env, env)
	if r.Mode == "split" {
		d.cmd.Env = append(d.cmd.Env, "BINSEAL_FEW_ARE_MANY=1") // See applier/few.go.
	}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	must(t, d.cmd.Start())
	go func() { _ = d.cmd.Wait(); close(d.done) }()
	t.Cleanup(func() {
		d.Kill()
		if strings.Contains(d.Log(), "WARNING: DATA RACE") {
			t.Errorf("the race detector found something:\n%s", d.Log())
		}
	})
	return d
}

// Kill sends SIGKILL and waits.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

// Signal sends a signal.
func (d *Daemon) Signal(sig syscall.Signal) { _ = d.cmd.Process.Signal(sig) }

// Wait waits until the process has ended, at most limit.
func (d *Daemon) Wait(limit time.Duration) bool {
	select {
	case <-d.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// ExitCode of an ended process; -1 when a signal ended it.
func (d *Daemon) ExitCode() int { return d.cmd.ProcessState.ExitCode() }

// Log is what the daemon has printed.
func (d *Daemon) Log() string { return d.log.String() }

// Lag asks GET /lag.
func (d *Daemon) Lag(ctx context.Context) (stream.Lag, error) {
	var lag stream.Lag
	return lag, d.get(ctx, "/lag", &lag)
}

// Status asks GET /status.
func (d *Daemon) Status(ctx context.Context) (stream.Status, error) {
	var st stream.Status
	return st, d.get(ctx, "/status", &st)
}

func (d *Daemon) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return json.NewDecoder(resp.Body).Decode(into)
}

// Await polls until ok holds for the daemon's status; it fails the test after limit, or when the daemon ends.
func (d *Daemon) Await(t testing.TB, limit time.Duration, what string, ok func(stream.Status) bool) stream.Status {
	t.Helper()
	deadline := time.Now().Add(limit)
	var last stream.Status
	for time.Now().Before(deadline) {
		st, err := d.Status(context.WithoutCancel(t.Context()))
		if err == nil {
			last = st
			if ok(st) {
				return st
			}
		}
		select {
		case <-d.done:
			t.Fatalf("the daemon ended while waiting until %s\n%s", what, tail(d.Log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	shown, _ := json.Marshal(last)
	t.Fatalf("not so within %s: %s\nstatus %s\n%s", limit, what, shown, tail(d.Log()))
	return last
}

// AwaitCaughtUp waits until the stream has caught up with the source's end as of now.
func (r *Rig) AwaitCaughtUp(t testing.TB, d *Daemon, limit time.Duration) {
	t.Helper()
	covers := r.End(t)
	d.Await(t, limit, "caught up", func(st stream.Status) bool {
		if st.State == stream.StateHalted {
			t.Fatalf("the stream halted: %+v\n%s", st.Problem, tail(d.Log()))
		}
		applied := st.Lag.Applied
		// XA transactions of which there is nothing to see; a position of MariaDB has them already.
		if prepared := st.Checkpt.Undecided.GTIDs; prepared != "" && r.Source.Kind != testmysql.MariaDB {
			applied.GTID = strings.TrimPrefix(applied.GTID+","+prepared, ",")
		}
		return covers(applied)
	})
}

// End takes the source's end as of now and gives a test whether an applied mark covers it.
func (r *Rig) End(t testing.TB) func(applied stream.Mark) bool {
	t.Helper()
	file, pos, gtids, err := r.Source.LogEnd(context.WithoutCancel(t.Context()))
	must(t, err)
	end := change.Position{File: file, Pos: pos}
	return func(applied stream.Mark) bool {
		if gtids != "" {
			return covers(applied.GTID, gtids)
		}
		return change.Position{File: applied.File, Pos: applied.Pos}.Compare(end) >= 0
	}
}

// Equal compares every table on both sides and fails the test on any difference.
func (r *Rig) Equal(t testing.TB) {
	t.Helper()
	differences, rows := r.Compare(t)
	if len(differences) > 0 {
		t.Fatalf("seed %d: %d differences in %d rows: %v", r.Seed, len(differences), rows, differences)
	}
	if rows == 0 {
		t.Fatal("nothing to compare: the load wrote no rows")
	}
	t.Logf("seed %d: %d rows compared, 0 differences", r.Seed, rows)
}

// Compare gives the differences between both sides.
func (r *Rig) Compare(t testing.TB) (differences []string, rows int64) {
	t.Helper()
	differences, rows, err := testmysql.Compare(context.WithoutCancel(t.Context()), r.Source.DB(), r.Target.DB(), "shop")
	must(t, err)
	return differences, rows
}

// Stop ends the daemon with SIGTERM and expects exit code 0 within 10 s.
func (d *Daemon) Stop(t testing.TB) {
	t.Helper()
	begun := time.Now()
	d.Signal(syscall.SIGTERM)
	if !d.Wait(15 * time.Second) {
		t.Fatalf("still running 15 s after SIGTERM\n%s", tail(d.Log()))
	}
	if code, took := d.ExitCode(), time.Since(begun); code != 0 || took > 10*time.Second {
		t.Fatalf("SIGTERM: exit code %d after %s, want 0 within 10 s\n%s", code, took, tail(d.Log()))
	}
}

func tail(s string) string {
	const keep = 4000
	if len(s) > keep {
		return "…" + s[len(s)-keep:]
	}
	return s
}
