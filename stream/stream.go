// Package stream joins the stages of one stream: it claims the progress table, reads the source through replicator,
// applies through applier, and starts both again from the record after any failure. It owns the run loop, the lag
// clock and the status that others read; it never parses an event and never writes a row itself.
// cmd/binseal runs it; httpapi and cutover read it.
package stream

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binseal/binseal/applier"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// Rhythms of the run loop.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 5 * time.Second
	// drainLimit is how long the epoch in flight may take after the reader has stopped; then it is rolled back, so
	// that a SIGTERM ends the process within 10 s.
	drainLimit = 7 * time.Second
	// beatEvery is how often an idle stream commits its record, to keep the last moment at which it had caught up.
	beatEvery   = 10 * time.Second
	clashWindow = 10 * time.Minute // A MySQL replica connects again after a minute.
)

// Start says where a stream without a checkpoint begins. The zero value is the source's end at the first start.
type Start struct {
	GTID string          // The set that the target already has; "" when not by GTID.
	Pos  change.Position // The first event to read; zero when not by position.
}

// Options of a stream.
type Options struct {
	Name           string
	Source, Target *mysqlconn.Endpoint // OnEvidence and Connections are set by New.
	ServerID       uint32
	Start          Start
	Filter         *schema.Filter
	Routes         *schema.Routes // Nil keeps the source's names.
	Rules          *schema.Rules  // For DDL; nil without any.
	Mode           applier.Mode
	Sessions       int
	EpochRows      int // Bounds the net rows of an epoch; 0 is the largest bound.
	ConfigHash     string
	// AllowUnencrypted lets DDL through that asks for a table without encryption at rest.
	AllowUnencrypted bool
	// AtRest asks who knows for the target's encryption at rest; nil asks nobody. It is called from one goroutine at a time.
	AtRest func(context.Context) change.AtRest
	// ExitOnHalt makes Run return when the stream halts, instead of staying up so that its status can tell why.
	ExitOnHalt bool
	Heartbeat  time.Duration // Of the source; 0 for the replicator's default.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Version    string
	Now        func() time.Time // The daemon's clock; nil for time.Now.
}

// Stream is one stream. Run is called once; all other methods are safe for concurrent use at any time.
type Stream struct {
	o       Options
	lag     lagClock
	metrics *metrics
	reads   *replicator.Metrics
	owners  checkpoint.Owners // Used by Run only.
	byName  applier.ByName    // Used by one run after the other.
	clashed time.Time         // The last clash of server ids; used by Run only.
	beat    chan struct{}

	connections mysqlconn.Connections // The open ones.
	listing     replicator.Listing    // Of the source's log.

	reloads atomic.Int64 // How often Reload was called.

	queueRows, queueBytes atomic.Int64 // Of the epoch that is being collected.

	mu            sync.Mutex // Guards what follows.
	state         State
	started       time.Time
	owner         string
	epoch         uint64
	lastSplit     bool
	problem       *Problem
	totals        Totals
	evidence      map[string]tlsconf.Evidence // By leg.
	expiryTold    map[string]int              // By leg and certificate: how many of expirySteps were told.
	retention     replicator.Retention        // Of the source.
	retentionTold bool                        // Whether the last look found little left.
	endRun        context.CancelCauseFunc     // Of the run under way; nil between two.
	ordered       []TableNote
	reader        *replicator.Reader
	cp            change.Checkpoint
	source        string         // server_uuid of the source that was switched to last; "" before the first switch.
	atRest        *change.AtRest // The last answer; nil before the first.
	streamed      bool           // Whether a run has come as far as streaming.
}

// New makes a stream that Run starts.
func New(o Options) (*Stream, error) {
	if o.Name == "" || o.Source == nil || o.Target == nil || o.Filter == nil {
		return nil, errors.New("stream: name, source, target and filter are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	s := &Stream{o: o, state: StateStarting, started: o.Now(), beat: make(chan struct{}), evidence: map[string]tlsconf.Evidence{}, expiryTold: map[string]int{}, byName: applier.ByName{}}
	s.lag.now = o.Now
	s.metrics = newMetrics(o.Registerer, s)
	s.reads = replicator.NewMetrics(o.Registerer)
	o.Source.OnEvidence, o.Target.OnEvidence = s.note("source"), s.note("target")
	o.Source.Connections, o.Target.Connections = &s.connections, &s.connections
	return s, nil
}

// note keeps the last handshake's evidence of a leg, and warns of a weak one once.
func (s *Stream) note(leg string) func(tlsconf.Evidence) {
	return func(e tlsconf.Evidence) {
		s.mu.Lock()
		before, known := s.evidence[leg]
		s.evidence[leg] = e
		s.mu.Unlock()
		if e.Weak && !(known && before.WeakReason == e.WeakReason) {
			s.o.Logger.Warn("weak TLS allowed by tls.legacy", "addr", e.Peer, "reason", e.WeakReason)
		}
		s.warnOfExpiry(e)
	}
}

// Run streams until ctx ends, then finishes what is in flight and returns nil. It returns the fault when the stream
// halted (at once with ExitOnHalt, else when ctx ends), and the error of the first start when the environment
// refuses or the configuration cannot be right. Everything else it tries again by itself, from the record.
func (s *Stream) Run(ctx context.Context) error {
	var background sync.WaitGroup
	sampling, stop := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { s.sample(sampling) })
	background.Go(func() { s.tickBeats(sampling) })
	background.Go(func() { s.watchExpiry(sampling) })
	defer background.Wait()
	defer stop()

	var careful applier.Careful
	wait := backoffMin
	for {
		before := s.committedEpoch()
		err := s.runOnce(ctx, careful)
		if ctx.Err() != nil && (err == nil || !change.Halts(err)) {
			s.setState(StateStopped)
			return nil
		}
		if errors.Is(err, errReload) {
			s.o.Logger.Info("connecting anew with the credentials and certificates of now")
			wait = backoffMin
			continue
		}
		if end, final := s.final(ctx, err); final {
			return end
		}
		careful = careful.Lasting()
		if again, ok := errors.AsType[*applier.Again](err); ok {
			careful = again.Careful
		}
		if s.committedEpoch() > before {
			wait = backoffMin
		}
		s.trouble(err)
		if !sleep(ctx, wait/2+rand.N(wait)) {
			s.setState(StateStopped)
			return nil
		}
		wait = min(2*wait, backoffMax)
	}
}

// errReload ends a run so that the next one connects with what the files hold now.
var errReload = errors.New("told to connect anew")

// Reload lets every connection be made anew, with the passwords, CAs and certificates of now: what is in flight is finished,
// however long it takes, and the next run goes on from the record. Without it they are used by the connections that are made anyway.
// Between two runs it does nothing.
func (s *Stream) Reload() {
	s.mu.Lock()
	end := s.endRun
	s.mu.Unlock()
	s.reloads.Add(1)
	if end != nil {
		end(errReload)
	}
}

// final decides whether a run's end is the stream's end.
func (s *Stream) final(ctx context.Context, err error) (error, bool) {
	f := change.FaultOf(err)
	if f == nil || s.firstClash(f) {
		return nil, false
	}
	if f.Class == change.ClassPerson {
		f = s.located(f)
		s.halt(f)
		if !s.o.ExitOnHalt {
			<-ctx.Done()
		}
		return f, true
	}
	if (f.Class == change.ClassEnvironment || f.Class == change.ClassConfig) && !s.hasStreamed() {
		s.setProblem(err)
		s.setState(StateStopped)
		return f, true
	}
	return nil, false
}

// firstClash reports whether another replica with our server id has appeared for the first time in clashWindow. Most
// often that is a daemon that has taken this stream over: the next claim then tells so. If the claim is still ours,
// the second clash is a real one, and halts: two replicas with one id would end each other's connection for ever.
func (s *Stream) firstClash(f *change.Fault) bool {
	if f.Code != "BS-SERVER-ID-CLASH" {
		return false
	}
	first := time.Since(s.clashed) > clashWindow
	s.clashed = time.Now()
	return first
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// located gives a fault without a place the checkpoint's, at which the stream stands; before it is known, its name.
func (s *Stream) located(f *change.Fault) *change.Fault {
	if f.Where != "" {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	placed := *f
	placed.Where = "stream " + s.o.Name
	if !s.cp.Pos.IsZero() {
		placed.Where += ", checkpoint " + s.cp.Pos.String()
	}
	return &placed
}

func (s *Stream) halt(f *change.Fault) {
	s.setProblem(f)
	s.lag.freeze()
	s.setState(StateHalted)
	s.o.Logger.Error("stream halted", "code", f.Code, "error", f.Error(), "next", f.Next)
}

// trouble records an error that the stream tries to overcome by itself.
func (s *Stream) trouble(err error) {
	s.setProblem(err)
	s.setState(StateReconnecting)
	s.mu.Lock()
	s.totals.Reconnects++
	s.mu.Unlock()
	s.metrics.reconnects.Inc()
	s.o.Logger.Warn("run ended, starting again from the record", "error", err)
}

func (s *Stream) setProblem(err error) {
	p := &Problem{Code: "BS-TRANSIENT", Class: int(change.ClassRuntime), What: "unknown", At: s.o.Now().UTC()}
	if f := change.FaultOf(err); f != nil {
		*p = Problem{Code: f.Code, Class: int(f.Class), What: f.What, Where: f.Where, Next: f.Next, At: p.At}
		if f.Err != nil {
			p.What += ": " + f.Err.Error()
		}
	} else if err != nil {
		p.What = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = p
}

func (s *Stream) setState(st State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == st {
		return
	}
	s.o.Logger.Info("state changed", "from", string(s.state), "to", string(st))
	s.state = st
	if st == StateStreaming {
		s.streamed, s.problem = true, nil
	}
}

func (s *Stream) hasStreamed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streamed
}

func (s *Stream) committedEpoch() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}
