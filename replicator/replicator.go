// Package replicator reads a MySQL source's binary log as a replica does and yields its transactions, in the source's
// order, each once per run.
//
// It connects at a checkpoint, holds the source's identity against it, frames the events (position, checksum,
// continuity), assembles them into change.Txn and hands these to its caller, one at a time. Row images stay the raw
// bytes from the wire. It decides nothing about rows beyond the filter of tables.
//
// It never touches the target, never reconnects by itself (the run loop does, from the record) and never skips what
// it does not understand (invariant 6): each such event ends the run with a change.Fault that names its position.
// It also asks the source, on plain sessions, for its identity, the end of its log and its files.
//
// Package stream calls it; preflight and cutover use Identify, End and LogSizes.
package replicator

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// Bounds and rhythms that hold when Config leaves them zero.
const (
	DefaultHeartbeat = 2 * time.Second
	// An epoch's share: a larger transaction is streamed in parts of this size, on one session. 50,000 updates of rows of
	// 200 bytes, two images each, stay below it.
	DefaultMaxPartBytes = 24 << 20
	DefaultMaxRowBytes  = 130 << 20 // An update of a row of 64 MiB, the default of max_allowed_packet: two images.
)

// Config says what to read and within which bounds.
type Config struct {
	Endpoint       *mysqlconn.Endpoint
	ServerID       uint32         // Of this replica, not 0; unique among the source's replicas.
	Filter         *schema.Filter // Rows of tables that it excludes are dropped here; nil includes all.
	LowerCaseNames int            // lower_case_table_names of the target: the source must have the same.
	// Heartbeat is the longest silence that the source may keep; a link that is silent for twice as long is dead.
	Heartbeat    time.Duration
	MaxPartBytes int // Rows of a transaction above this are yielded in parts, in bytes; at most 100,000 rows a part.
	// MaxRowBytes is the largest event, in bytes; an event of inserts or deletes, whose rows have one image, or of JSON
	// documents in parts, which are made whole, may have half of it. Above it the event is refused with BS-TOO-LARGE.
	MaxRowBytes int
	Known       *SourceInfo // What the source has said of itself, at KnownAt; nil lets Admit ask.
	KnownAt     time.Time
	Ahead       *Ahead   // Being connected; nil lets Run connect.
	Listing     *Listing // Shared by the readers of one stream; nil lists the log's files whenever that is of use.
	Logger      *slog.Logger
	Metrics     *Metrics // Nil for none.
	// Near reports whether a transaction with this commit time was committed a moment ago. Only then the log is read in
	// steps of readEvery. Nil: never.
	Near    func(commit time.Time) bool
	Started func() // Called when the first event of a run has come; nil for none.
}

// maxPartRows bounds the rows of a part too, which has at most twice as many: what the applier keeps beside the image of a short
// row is several times as large as the image.
const maxPartRows = 100_000

// Reader reads one source. Run may be called again after it has returned, but not twice at a time; ReadPos is safe
// for concurrent use.
type Reader struct {
	cfg Config

	known   *SourceInfo // As of knownAt; used by one goroutine.
	knownAt time.Time

	mu     sync.Mutex // Guards pos, gtids and seenAt.
	pos    change.Position
	gtids  change.GTIDSet
	seenAt time.Time
}

// New makes a Reader. It does not connect.
func New(c Config) *Reader {
	if c.Heartbeat <= 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	if c.MaxPartBytes <= 0 {
		c.MaxPartBytes = DefaultMaxPartBytes
	}
	if c.MaxRowBytes <= 0 {
		c.MaxRowBytes = DefaultMaxRowBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Started == nil {
		c.Started = func() {}
	}
	if c.Near == nil {
		c.Near = func(time.Time) bool { return false }
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return &Reader{cfg: c, known: c.Known, knownAt: c.KnownAt}
}

// ReadPos is how far the source's log was read: the end of the last event, the transactions received whole (a copy),
// and the local time of the last event or heartbeat, zero before the first. The transaction at pos may still be open.
func (r *Reader) ReadPos() (pos change.Position, gtids change.GTIDSet, lastEventAt time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pos, r.gtids.Clone(), r.seenAt
}

// Metrics counts what is read.
type Metrics struct {
	events, bytes, transactions, parts prometheus.Counter
	lastEvent                          prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; a nil registerer leaves them unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "binseal", Subsystem: "replicator", Name: name, Help: help})
	}
	m := &Metrics{
		events:       counter("events_total", "Events read from the source, heartbeats included."),
		bytes:        counter("bytes_total", "Bytes of events read from the source."),
		transactions: counter("transactions_total", "Transactions read whole."),
		parts:        counter("parts_total", "Parts yielded of transactions that are larger than one part."),
		lastEvent: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "binseal", Subsystem: "replicator",
			Name: "last_event_timestamp_seconds", Help: "Local time of the last event or heartbeat."}),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.bytes, m.transactions, m.parts, m.lastEvent)
	}
	return m
}
