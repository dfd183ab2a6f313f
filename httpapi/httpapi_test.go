package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/stream"
)

// A library of the SQL parser's family starts a log flusher when it is loaded and never ends it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// fakeView is a stream that says what a test tells it to.
type fakeView struct {
	lag            stream.Lag
	status         stream.Status
	healthy, ready string // Why not; "" for yes.
}

func (v fakeView) Lag() stream.Lag         { return v.lag }
func (v fakeView) Status() stream.Status   { return v.status }
func (v fakeView) Healthy() (bool, string) { return v.healthy == "", v.healthy }
func (v fakeView) Ready() (bool, string)   { return v.ready == "", v.ready }

func seconds(s float64) *float64 { return &s }

func get(t *testing.T, view View, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Host = "127.0.0.1:9621"
	w := httptest.NewRecorder()
	Handler(view, prometheus.NewRegistry()).ServeHTTP(w, r)
	return w
}

func TestLagGate(t *testing.T) {
	for name, test := range map[string]struct {
		lag    stream.Lag
		target string
		want   int
	}{
		"without max the answer is 200 whatever the lag":       {stream.Lag{LagSeconds: seconds(9000), Stale: true}, "/lag", 200},
		"lag below max passes":                                 {stream.Lag{LagSeconds: seconds(0.004)}, "/lag?max=5s", 200},
		"lag equal to max passes":                              {stream.Lag{LagSeconds: seconds(5)}, "/lag?max=5s", 200},
		"lag above max fails":                                  {stream.Lag{LagSeconds: seconds(5.001)}, "/lag?max=5s", 503},
		"a stale figure fails although it is small":            {stream.Lag{LagSeconds: seconds(0), Stale: true}, "/lag?max=5s", 503},
		"a lag that is not known fails":                        {stream.Lag{}, "/lag?max=1h", 503},
		"max=0s passes only when caught up":                    {stream.Lag{LagSeconds: seconds(0)}, "/lag?max=0s", 200},
		"a number without a unit is a bad request":             {stream.Lag{LagSeconds: seconds(0)}, "/lag?max=5", 400},
		"an empty max is a bad request, not a missing one":     {stream.Lag{LagSeconds: seconds(0)}, "/lag?max=", 400},
		"a negative max is a bad request":                      {stream.Lag{LagSeconds: seconds(0)}, "/lag?max=-5s", 400},
		"words are a bad request":                              {stream.Lag{LagSeconds: seconds(0)}, "/lag?max=soon", 400},
		"an unknown path is not found":                         {stream.Lag{}, "/nothing", 404},
		"several max: the first counts, as net/url reads them": {stream.Lag{LagSeconds: seconds(3)}, "/lag?max=5s&max=1s", 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(t, fakeView{lag: test.lag}, test.target)
			if w.Code != test.want {
				t.Fatalf("GET %s: status %d, want %d; body %s", test.target, w.Code, test.want, w.Body)
			}
			if w.Code == http.StatusBadRequest {
				var p problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != "BS-USAGE" || p.Next == "" {
					t.Errorf("body %s, want a JSON problem with code and next step (%v)", w.Body, err)
				}
			}
		})
	}
}

// The names and the order of /lag are a contract with scripts (DESIGN.md §5): a rename must fail here.
func TestLagBody(t *testing.T) {
	mark := stream.Mark{File: "binlog.000003", Pos: 88123, GTID: "g:1-5"}
	lag := stream.Lag{
		Stream: "shop", State: stream.StateStreaming, CaughtUp: true, LagSeconds: seconds(0.004),
		Basis: change.BasisImmediateCommit, Behind: &stream.Behind{Exact: true},
		DrainSeconds: seconds(0), ETASeconds: seconds(0), ETAState: stream.ETACaughtUp,
		Read: mark, Applied: mark, SourceEnd: mark, ServerUUID: "u", SourceSampleAgeSeconds: seconds(0.4),
		ClockOffsetMS: seconds(-3.1), ObservedAt: time.Date(2026, 11, 23, 10, 0, 0, 123e6, time.UTC), PreparedXA: 2,
	}
	want := `{"stream":"shop","state":"streaming","caught_up":true,"lag_seconds":0.004,"stale":false,` +
		`"basis":"immediate_commit_timestamp","behind":{"bytes":0,"transactions":0,"exact":true},"drain_seconds":0,` +
		`"eta_seconds":0,"eta_state":"caught_up",` +
		`"read":{"file":"binlog.000003","pos":88123,"gtid":"g:1-5"},` +
		`"applied":{"file":"binlog.000003","pos":88123,"gtid":"g:1-5"},` +
		`"source_end":{"file":"binlog.000003","pos":88123,"gtid":"g:1-5"},"server_uuid":"u",` +
		`"source_sample_age_seconds":0.4,"clock_offset_ms":-3.1,"observed_at":"2026-11-23T10:00:00.123Z","prepared_xa":2}` + "\n"
	if diff := cmp.Diff(want, get(t, fakeView{lag: lag}, "/lag").Body.String()); diff != "" {
		t.Errorf("body of /lag (-want +got):\n%s", diff)
	}
	unknown := get(t, fakeView{}, "/lag").Body.String()
	if !strings.Contains(unknown, `"lag_seconds":null`) {
		t.Errorf("a lag that was never known is %s, want lag_seconds null", unknown)
	}
}

func TestValueThatJSONCannotHoldIsAnErrorNotHalfAnAnswer(t *testing.T) {
	w := get(t, fakeView{lag: stream.Lag{LagSeconds: seconds(math.NaN())}}, "/lag")
	if w.Code != http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
		t.Errorf("status %d body %s, want 500 and JSON", w.Code, w.Body)
	}
}

func TestProbes(t *testing.T) {
	for name, test := range map[string]struct {
		view   fakeView
		target string
		want   int
		body   string
	}{
		"healthy":                             {fakeView{}, "/healthz", 200, `{"ok":true}`},
		"a loop that stands is not healthy":   {fakeView{healthy: "run loop silent for 40 s"}, "/healthz", 503, `{"ok":false,"why":"run loop silent for 40 s"}`},
		"ready":                               {fakeView{}, "/readyz", 200, `{"ok":true}`},
		"halted is not ready but healthy":     {fakeView{ready: "halted"}, "/readyz", 503, `{"ok":false,"why":"halted"}`},
		"ready does not flap on lag":          {fakeView{lag: stream.Lag{Stale: true, LagSeconds: seconds(1e6)}}, "/readyz", 200, `{"ok":true}`},
		"health does not depend on readiness": {fakeView{ready: "halted"}, "/healthz", 200, `{"ok":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(t, test.view, test.target)
			if diff := cmp.Diff(test.body+"\n", w.Body.String()); diff != "" || w.Code != test.want {
				t.Errorf("GET %s: status %d want %d, body (-want +got):\n%s", test.target, w.Code, test.want, diff)
			}
		})
	}
}

func TestOnlyLocalReaders(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:9621": 200, "[::1]:9621": 200, "localhost:9621": 200, "LOCALHOST": 200, "10.0.0.7": 200,
		"evil.example:9621": 421, "evil.example": 421, "localhost.evil.example:1": 421, "": 421,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/lag", nil)
		r.Host = host
		w := httptest.NewRecorder()
		Handler(fakeView{}, prometheus.NewRegistry()).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, w.Code, want)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("Host %q: security headers are missing: %v", host, w.Header())
		}
	}
}

func TestMethodsThatWriteAreRefused(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		r := httptest.NewRequestWithContext(t.Context(), method, "/status", nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		Handler(fakeView{}, prometheus.NewRegistry()).ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s /status: status %d, want 405", method, w.Code)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:9621": true, "127.8.8.8:1": true, "[::1]:0": true, "localhost:80": true,
		":9621": false, "0.0.0.0:9621": false, "[::]:1": false, "10.0.0.1:80": false, "host.example:80": false,
		"127.0.0.1": false, "127.0.0.1:http": false, "127.0.0.1:70000": false, "": false,
	} {
		if err := (Config{Listen: listen}).Validate(); (err == nil) != ok {
			t.Errorf("Validate(%q) = %v, want accepted=%v", listen, err, ok)
		}
	}
}

func TestServerServesAndStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server, err := Listen(ctx, Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "binseal_lag_seconds"})
	registry.MustRegister(gauge)
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, fakeView{status: stream.Status{Stream: "shop"}}, registry, slog.New(slog.DiscardHandler))
	}()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"/status": `"stream":"shop"`, "/metrics": "binseal_lag_seconds 0"} {
		resp, err := client.Get("http://" + server.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %d %v, body %s, want %s in it", path, resp.StatusCode, err, body, want)
		}
	}
	if _, err := Listen(ctx, Config{Listen: server.Addr()}); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-HTTP-LISTEN" {
		t.Errorf("a second listener on %s: %v, want BS-HTTP-LISTEN", server.Addr(), err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run after a stop: %v, want nil", err)
	}
}
