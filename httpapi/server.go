// Package httpapi serves what a running stream says of itself: GET /lag, /status, /metrics, /healthz and /readyz
// (DESIGN.md §5). It only reads: no request changes the stream, and no answer carries a row value, a password or a
// token (invariant 9). cmd/binseal starts it beside the stream; scripts, dashboards and `binseal status` call it.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/stream"
)

// View is what the server shows. All methods are called from many goroutines at once and answer from memory: they
// must not wait for a server.
type View interface {
	Lag() stream.Lag
	Status() stream.Status
	// Healthy tells whether the process's loop turns; when false, why. It does not depend on lag or on a server.
	Healthy() (ok bool, why string)
	// Ready tells whether the stream is streaming and the target takes writes; when false, why. Lag does not count.
	Ready() (ok bool, why string)
}

// Timeouts of the listener. All answers come from memory, so a slow client is a broken or a hostile one.
const (
	readTimeout  = 5 * time.Second  // A request is a few hundred bytes.
	writeTimeout = 15 * time.Second // /metrics on a busy machine.
	idleTimeout  = 2 * time.Minute  // Above a scrape interval of one minute, so that scrapers keep their connection.
	drainTimeout = 2 * time.Second  // Shutdown waits this long for requests; the daemon has 10 s in all.
	maxHeader    = 16 << 10         // Bytes.
)

// Server is a bound listener. Call Listen, then Run once; Run closes it.
type Server struct {
	listener net.Listener
}

// Listen binds c.Listen, so that a port in use is known before the stream is claimed. The error is a
// *change.Fault BS-HTTP-LISTEN of class 1.
func Listen(ctx context.Context, c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, &change.Fault{
			Code: "BS-CONFIG", Class: change.ClassConfig, What: err.Error(),
			Next: "set http.listen to a loopback address such as " + DefaultListen,
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, &change.Fault{
			Code: "BS-HTTP-LISTEN", Class: change.ClassRuntime, What: "the http listener cannot be opened",
			Where: "http.listen " + c.Listen, Err: err,
			Next: "stop the process that holds the address (another daemon of this stream?), or choose another http.listen",
		}
	}
	return &Server{listener: l}, nil
}

// Addr is the bound address, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, then waits up to two seconds for running requests and closes the listener. It returns
// nil after a stop by ctx and the listener's error otherwise.
func (s *Server) Run(ctx context.Context, view View, gatherer prometheus.Gatherer, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           Handler(view, gatherer),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// The request line could carry anything a client likes to send; only our own records go to the log.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	served := make(chan error, 1) // One result; buffered so that the goroutine ends even if Run left early.
	go func() { served <- server.Serve(s.listener) }()
	logger.Info("http listener open", "addr", s.Addr())

	select {
	case err := <-served:
		return fmt.Errorf("serve http on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		server.Close() // A client that does not read its answer must not hold the process.
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http on %s: %w", s.Addr(), err)
	}
	return nil
}

// Close gives the address back without having served: for a start that fails between Listen and Run.
func (s *Server) Close() error { return s.listener.Close() }
