package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/httpapi"
	"github.com/binseal/binseal/stream"
)

// asDaemon makes this test binary behave as binseal, so that a test can run the daemon as a process of its own.
const asDaemon = "BINSEAL_TEST_AS_DAEMON"

// A library of the SQL parser's family starts a log flusher when it is loaded and never ends it.
func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// command runs one command line as main does.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = execute(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // A part of each.
	}{
		"help goes to stdout":                     {[]string{"--help"}, 0, "Exit codes: 0 done", ""},
		"help of a verb":                          {[]string{"run", "--help"}, 0, "--exit-on-halt", ""},
		"the version":                             {[]string{"version"}, 0, "binseal ", ""},
		"the version as JSON":                     {[]string{"version", "--json"}, 0, `"ok": true`, ""},
		"no verb":                                 {nil, 2, "", "code   BS-USAGE (exit code 2)"},
		"an unknown verb":                         {[]string{"rum"}, 2, "", "BS-USAGE"},
		"a misspelt flag names the nearest":       {[]string{"run", "--exit-on-hal"}, 2, "", "--exit-on-halt"},
		"bad usage as JSON":                       {[]string{"run", "--json", "--nothing"}, 2, `"code": "BS-USAGE"`, ""},
		"a config that is not there":              {[]string{"check", "-c", "/nonexistent/b.yaml"}, 2, "", "where  /nonexistent/b.yaml"},
		"the same as JSON":                        {[]string{"run", "--json", "-c", "/nonexistent/b.yaml"}, 2, `"next_steps": [`, ""},
		"a log level that is none":                {[]string{"run", "--log-level", "loud"}, 2, "", "BS-USAGE"},
		"status of a daemon that is not there":    {[]string{"status", "--addr", "127.0.0.1:1"}, 1, "", "BS-DAEMON-UNREACHABLE"},
		"position wants one transaction":          {[]string{"position", "skip"}, 2, "", "--gtid=UUID:N|D-S-N or --at=FILE:POS"},
		"position wants a place in a log":         {[]string{"position", "set", "--at", "shop:4"}, 2, "", "BS-USAGE"},
		"verbs of later releases are not offered": {[]string{"cutover"}, 2, "", "BS-USAGE"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("binseal %q: code %d\nstdout: %s\nstderr: %s\nwant code %d, %q and %q", test.args, code, stdout, stderr,
					test.code, test.stdout, test.stderr)
			}
		})
	}
}

func TestErrorsAreWhatWhereCodeNext(t *testing.T) {
	err := &change.Fault{
		Code: "BS-DIVERGED", Class: change.ClassPerson, What: "1 row missing", Where: "shop.orders at binlog.000003:4711",
		Next: "look at the row", Err: errors.New("cause"),
	}
	var out, errs bytes.Buffer
	if code := report(err, false, &out, &errs); code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
	want := "binseal: 1 row missing: cause\n  where  shop.orders at binlog.000003:4711\n  code   BS-DIVERGED (exit code 4)\n  next   look at the row\n"
	if diff := cmp.Diff(want, errs.String()); diff != "" || out.Len() > 0 {
		t.Errorf("stderr (-want +got):\n%s\nstdout: %s", diff, &out)
	}
	errs.Reset()
	if code := report(err, true, &out, &errs); code != 4 || errs.Len() > 0 {
		t.Errorf("with --json: code %d, stderr %s", code, &errs)
	}
	var got failure
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(failure{Code: "BS-DIVERGED", Class: 4, What: "1 row missing: cause",
		Where: "shop.orders at binlog.000003:4711", NextSteps: []string{"look at the row"}}, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if code := report(errors.New("plain"), false, io.Discard, io.Discard); code != 1 {
		t.Errorf("an error without a class: code %d, want 1", code)
	}
}

func TestStatusScreen(t *testing.T) {
	lag := 0.25
	status := stream.Status{
		Stream: "shop", State: stream.StateHalted, Version: "v1", Mode: "auto", Committed: "strict", Epoch: 12,
		Lag:     stream.Lag{LagSeconds: &lag, Stale: true, Behind: &stream.Behind{Bytes: 10, Transactions: 2, Exact: true}},
		Problem: &stream.Problem{Code: "BS-DIVERGED", Class: 4, What: "1 row missing", Where: "shop.orders", Next: "look"},
		Evidence: []any{map[string]any{"leg": "source", "version": "TLS 1.3", "cipher": "AES", "curve": "X25519MLKEM768", "verified": "verify-identity"},
			map[string]any{"leg": "source", "version": "TLS 1.0", "weak": true, "weak_reason": "no forward secrecy"}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(status)
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	code, text, stderr := command("status", "--addr", addr)
	for _, want := range []string{"state        halted", "0.2 s since it was last known to be caught up; stale", "10 bytes, 2 transactions", "problem      1 row missing",
		"BS-DIVERGED", "TLS 1.3 AES X25519MLKEM768, verify-identity", "epoch 12"} {
		if !strings.Contains(text, want) {
			t.Errorf("code %d, stderr %s: no %q in\n%s", code, stderr, want, text)
		}
	}
	_, raw, _ := command("status", "--addr", addr, "--json")
	var got stream.Status
	if err := json.Unmarshal([]byte(raw), &got); err != nil || got.Problem.Code != "BS-DIVERGED" {
		t.Errorf("--json: %v\n%s", err, raw)
	}
	http.DefaultClient.CloseIdleConnections()
}

// fakeDaemon is a stream that ends when a test says so.
type fakeDaemon struct {
	status stream.Status
	end    chan error // Run returns what comes; nil channel: it waits for ctx.
}

func (d fakeDaemon) Run(ctx context.Context) error {
	if len(d.end) > 0 {
		return <-d.end
	}
	select {
	case err := <-d.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (d fakeDaemon) Lag() stream.Lag         { return stream.Lag{} }
func (d fakeDaemon) Status() stream.Status   { return d.status }
func (d fakeDaemon) Healthy() (bool, string) { return true, "" }
func (d fakeDaemon) Ready() (bool, string)   { return true, "" }

func TestServeEndsAsTheStreamDoes(t *testing.T) {
	fault := &change.Fault{Code: "BS-X", Class: change.ClassEnvironment}
	halted := stream.Status{State: stream.StateHalted, Problem: &stream.Problem{Code: "BS-DIVERGED", Class: 4, What: "x"}}
	for name, test := range map[string]struct {
		daemon fakeDaemon
		stop   bool
		class  change.Class // 0: no error.
	}{
		"a stop by a signal is success":             {fakeDaemon{}, true, 0},
		"a stop of a halted stream is class 4":      {fakeDaemon{status: halted}, true, change.ClassPerson},
		"a fault keeps its class":                   {fakeDaemon{end: given(fault)}, false, change.ClassEnvironment},
		"a fault on the way out is not swallowed":   {fakeDaemon{end: given(fault)}, true, change.ClassEnvironment},
		"an end without a stop is an error as such": {fakeDaemon{end: given(errors.New("boom"))}, false, change.ClassRuntime},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := httpapi.Listen(t.Context(), httpapi.Config{Listen: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if test.stop {
				cancel(errSignal)
			}
			err = serve(ctx, test.daemon, listener, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
			got := change.Class(0)
			if err != nil {
				got = faultOf(err).Class
			}
			if got != test.class {
				t.Errorf("serve = %v (class %d), want class %d", err, got, test.class)
			}
		})
	}
}

// given is a channel that has err already.
func given(err error) chan error {
	c := make(chan error, 1)
	c <- err
	return c
}

func TestSignals(t *testing.T) {
	for name, test := range map[string]struct {
		signals int
		wait    time.Duration
		exit    int // -1: the process is not ended from here.
	}{
		"no signal":                        {0, time.Hour, -1},
		"one, and the stream ends in time": {1, stopWithin - time.Second, -1},
		"one, and the stream hangs":        {1, stopWithin + time.Second, 0},
		"a second ends at once":            {2, time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				exited := -1
				ctx, release := watch(t.Context(), slog.New(slog.DiscardHandler), signals, func(code int) { exited = code }, func() {})
				for range test.signals {
					signals <- os.Interrupt
				}
				time.Sleep(test.wait)
				synctest.Wait()
				if stopped := errors.Is(context.Cause(ctx), errSignal); stopped != (test.signals > 0) {
					t.Errorf("after %d signals the context's cause is %v", test.signals, context.Cause(ctx))
				}
				release()
				if exited != test.exit {
					t.Errorf("exit %d, want %d", exited, test.exit)
				}
			})
		})
	}
}
