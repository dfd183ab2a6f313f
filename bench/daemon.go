package bench

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/stream"
)

// DaemonOptions are the settings of a run of binseal; zero values are the daemon's defaults.
type DaemonOptions struct {
	Mode       string // apply.mode
	Sessions   int    // apply.sessions
	EpochRows  int    // apply.epoch_rows
	MaxProcs   int    // GOMAXPROCS
	TargetAddr string // Instead of the target's own: a proxy.
	Profile    string // File for a CPU profile, of a daemon that was built with the tag "profile".
}

// daemon is a running binseal.
type daemon struct {
	cmd    *exec.Cmd
	listen string
	done   chan struct{} // Closed when the process has ended.
	logTo  string
	o      DaemonOptions
}

const config = `stream: bench
source:
  addr: %s
  user: repl
  password: {file: %q}
  tls: {ca: %q}
target:
  addr: %s
  user: applier
  password: {file: %q}
  tls: {ca: %q}
start: {gtid: %q}
tables: {include: ["%s.*"]}
apply: {mode: %s, sessions: %d, epoch_rows: %d}
http: {listen: "%s"}
`

// startDaemon runs binseal from the begin of the backlog.
func (a *arena) startDaemon(binary string, o DaemonOptions) (*daemon, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &daemon{listen: l.Addr().String(), done: make(chan struct{}), logTo: a.path("daemon.log"), o: o}
	_ = l.Close()
	text := fmt.Sprintf(config, a.source.Addr, a.path("password"), a.source.CAFile, cmp.Or(o.TargetAddr, a.target.Addr), a.path("password"), a.target.CAFile,
		a.start.String(), schemaName, o.Mode, cmp.Or(o.Sessions, 4), cmp.Or(o.EpochRows, 100_000), d.listen)
	if err := os.WriteFile(a.path("binseal.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(d.logTo)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(binary, "run", "-c", a.path("binseal.yaml"))
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = os.Environ()
	if o.MaxProcs > 0 {
		d.cmd.Env = append(d.cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", o.MaxProcs))
	}
	if o.Profile != "" {
		d.cmd.Env = append(d.cmd.Env, "BINSEAL_PROFILE="+o.Profile)
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = d.cmd.Wait(); close(d.done) }()
	return d, nil
}

// applied reports whether the target has all of a GTID set.
func (d *daemon) applied(ctx context.Context, end change.GTIDSet) (bool, error) {
	select {
	case <-d.done:
		return false, fmt.Errorf("the daemon has ended: see %s", d.logTo)
	default:
	}
	lag, err := d.lag(ctx)
	if err != nil {
		return false, nil //nolint:nilerr // It does not listen yet.
	}
	if lag.State == stream.StateHalted {
		return false, fmt.Errorf("the stream has halted: see %s", d.logTo)
	}
	applied, err := change.ParseGTIDSet(lag.Applied.GTID)
	return err == nil && applied.Contains(end), err
}

func (d *daemon) lag(ctx context.Context) (lag stream.Lag, err error) {
	err = d.ask(ctx, "/lag", &lag)
	return lag, err
}

func (d *daemon) status(ctx context.Context) (st stream.Status, err error) {
	err = d.ask(ctx, "/status", &st)
	return st, err
}

// allocations is how often the daemon has taken memory from its heap since its start. What a processor has taken since its
// last span was full is not in it yet: up to some thousand small ones.
func (d *daemon) allocations(ctx context.Context) (n float64, err error) {
	const name = "go_memstats_mallocs_total "
	page, err := d.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	defer page.Close()
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.Join(lines.Err(), errors.New("the daemon's metrics have no "+name))
}

// ask reads a page of the daemon's into v.
func (d *daemon) ask(ctx context.Context, page string, v any) error {
	body, err := d.get(ctx, page)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(v)
}

func (d *daemon) get(ctx context.Context, page string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+page, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// stop ends the daemon and gives its processor seconds and its largest resident set, in bytes.
func (d *daemon) stop() (cpu float64, peak int64, err error) {
	if d.o.Profile != "" {
		_ = d.cmd.Process.Signal(syscall.SIGUSR1)
		time.Sleep(500 * time.Millisecond) // Until it is written.
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
		err = errors.New("the daemon did not end after SIGTERM")
	}
	state := d.cmd.ProcessState
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.Join(err, errors.New("no resource usage of the daemon"))
	}
	return (state.UserTime() + state.SystemTime()).Seconds(), usage.Maxrss << 10, err // In KiB on Linux.
}
