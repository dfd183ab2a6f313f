package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/binseal/binseal/stream"
	"github.com/binseal/binseal/tlsconf"
)

// stopPatience is longer than the daemon's own promise of 10 s after SIGTERM.
const stopPatience = 15 * time.Second

// maxAnswer bounds what is read from the daemon's listener, in bytes.
const maxAnswer = 4 << 20

// daemon is `binseal run` as a child process. Its methods are for one goroutine, apart from lag and status.
type daemon struct {
	binary string
	config config
	log    string
	url    string
	client *http.Client

	process *os.Process
	done    chan struct{} // Closed when the process has ended; nil before the first start.
}

func newDaemon(binary string, c config, log string) *daemon {
	return &daemon{
		binary: binary, config: c, log: log, url: "http://" + c.listen,
		client: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// start runs the program; its log is appended to a file.
func (d *daemon) start() error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(d.binary, "run", "-c", d.config.path)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	done, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // The parent-death signal follows the thread that forks.
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // A killed process ends with an error, as it should.
		}
		close(done)
	}()
	if err := <-started; err != nil {
		<-done
		return err
	}
	d.process, d.done = cmd.Process, done
	return nil
}

func (d *daemon) pid() int { return d.process.Pid }

func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// kill ends the daemon with SIGKILL and returns its pid.
func (d *daemon) kill() int {
	pid := d.process.Pid
	_ = d.process.Kill() // It may have ended; the wait below tells.
	<-d.done
	return pid
}

// stop asks the daemon to end, and kills it when it has not in time.
func (d *daemon) stop() {
	if d.done == nil || d.ended() {
		return
	}
	if err := d.process.Signal(syscall.SIGTERM); err == nil {
		select {
		case <-d.done:
			return
		case <-time.After(stopPatience):
		}
	}
	d.kill()
}

// waitStreaming waits until the daemon reports that it streams.
func (d *daemon) waitStreaming(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		status, err := d.status(ctx)
		if err == nil && status.State == stream.StateStreaming {
			return nil
		}
		if err == nil && status.State == stream.StateHalted && status.Problem != nil {
			return fmt.Errorf("halted: %s %s [%s]", status.Problem.Where, status.Problem.What, status.Problem.Code)
		}
		select {
		case <-d.done:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lag is GET /lag.
func (d *daemon) lag(ctx context.Context) (stream.Lag, error) {
	var lag stream.Lag
	return lag, d.get(ctx, "/lag", &lag)
}

// status is GET /status, with the evidence of each leg's TLS.
type status struct {
	State    stream.State       `json:"state"`
	Problem  *stream.Problem    `json:"problem"`
	Evidence []tlsconf.Evidence `json:"connections"`
	Totals   stream.Totals      `json:"totals"`
}

func (d *daemon) status(ctx context.Context) (status, error) {
	var s status
	return s, d.get(ctx, "/status", &s)
}

func (d *daemon) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	if err != nil {
		return err
	}
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return json.Unmarshal(body, into)
}
