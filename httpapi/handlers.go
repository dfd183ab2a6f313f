package httpapi

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/binseal/binseal/stream"
)

// metricsInFlight bounds concurrent scrapes: gathering is the only request that costs anything.
const metricsInFlight = 4

// Handler builds the routes over view and gatherer. It is what Run serves; tests call it without a listener.
func Handler(view View, gatherer prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lag", func(w http.ResponseWriter, r *http.Request) { serveLag(w, r, view) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, view.Status())
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeProbe(w, view.Healthy) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeProbe(w, view.Ready) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		MaxRequestsInFlight: metricsInFlight,
		Timeout:             writeTimeout - time.Second,
	}))
	return guard(mux)
}

// serveLag answers with the lag as it is: 200 while the process lives. ?max=5s makes it a gate for scripts: 503
// when lag is above that, stale, or not known. The body is the same in both cases.
func serveLag(w http.ResponseWriter, r *http.Request, view View) {
	query := r.URL.Query()
	if !query.Has("max") {
		writeJSON(w, http.StatusOK, view.Lag())
		return
	}
	limit, err := time.ParseDuration(query.Get("max"))
	if err != nil || limit < 0 {
		writeJSON(w, http.StatusBadRequest, problem{
			Code: "BS-USAGE", What: "max is not a duration of 0 or more",
			Next: "write a number and a unit, such as /lag?max=5s or /lag?max=1500ms",
		})
		return
	}
	lag := view.Lag()
	status := http.StatusOK
	if exceeds(lag, limit) {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, lag)
}

// exceeds reports whether lag fails the gate. Invariant 8: lag is never reported better than it is, so a figure
// that is stale or missing fails too.
func exceeds(lag stream.Lag, limit time.Duration) bool {
	return lag.Stale || lag.LagSeconds == nil || *lag.LagSeconds > limit.Seconds()
}

// problem is the body of an answer that is an error of the request.
type problem struct {
	OK   bool   `json:"ok"` // Always false.
	Code string `json:"code"`
	What string `json:"what"`
	Next string `json:"next"`
}

// probe is the body of /healthz and /readyz.
type probe struct {
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"`
}

func writeProbe(w http.ResponseWriter, ask func() (bool, string)) {
	ok, why := ask()
	if ok {
		writeJSON(w, http.StatusOK, probe{OK: true})
		return
	}
	writeJSON(w, http.StatusServiceUnavailable, probe{Why: why})
}

// writeJSON encodes before it writes the status line, so that a value JSON cannot hold (NaN) is a 500 and never
// half an answer under a 200.
func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		encoded = []byte(`{"ok":false,"code":"BS-INTERNAL","what":"the answer cannot be written as JSON","next":"report this"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // The client has gone: nobody is left to tell.
}

// guard sets the security headers and refuses a request whose Host is a foreign name. The listener has no token,
// so without this a web page whose name resolves to 127.0.0.1 (DNS rebinding) could read it through the
// operator's browser. Such a page must use a name; an address in Host is what scripts and scrapers send.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		if !localHost(r.Host) {
			writeJSON(w, http.StatusMisdirectedRequest, problem{
				Code: "BS-USAGE", What: "the Host header names another machine",
				Next: "ask by address or as localhost; let a proxy set Host to localhost",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localHost reports whether a Host header is an address or localhost.
func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
