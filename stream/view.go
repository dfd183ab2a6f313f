package stream

import (
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// State is what the stream is doing, in the words of DESIGN.md §5.
type State string

// The states of a stream.
const (
	StateStarting     State = "starting"
	StateCopying      State = "copying"
	StateStreaming    State = "streaming"
	StatePaused       State = "paused"
	StateReconnecting State = "reconnecting"
	StateHalted       State = "halted"
	StateDraining     State = "draining"
	StateStopped      State = "stopped"
)

// Mark is a place in the source's history, as /lag shows it. Fields are empty where they are not known.
type Mark struct {
	File string `json:"file"`
	Pos  uint64 `json:"pos"`
	GTID string `json:"gtid"`
}

// Behind is the distance from the applied position to the source's end.
type Behind struct {
	Bytes        uint64 `json:"bytes"`
	Transactions int64  `json:"transactions"`
	Exact        bool   `json:"exact"` // Whether Transactions is counted from GTID sets; else only received ones count.
}

// ETAState qualifies Lag.ETASeconds.
type ETAState string

// The states of the estimate.
const (
	ETACaughtUp ETAState = "caught_up"
	ETAOK       ETAState = "ok"
	ETAUnstable ETAState = "unstable"
	ETANever    ETAState = "never" // The source writes as fast as the stream applies, or faster.
)

// Lag is the body of GET /lag. Every figure follows facts/reliability.md §6.3; invariant 8: lag is never reported
// better than it is.
type Lag struct {
	Stream   string `json:"stream"`
	State    State  `json:"state"`
	CaughtUp bool   `json:"caught_up"`
	// LagSeconds is measured on the source's clock, from the commit time of the oldest transaction that is not yet
	// committed on the target. Null only when nothing was ever known.
	LagSeconds *float64 `json:"lag_seconds"`
	// Stale: the source could not be asked within the last three seconds; LagSeconds then grows second by second.
	Stale  bool            `json:"stale"`
	Basis  change.LagBasis `json:"basis"`
	Behind *Behind         `json:"behind"` // Null before the source's end was asked for the first time.
	// DrainSeconds is how long writes would have to stop if one cut over now; null while no rate is known.
	DrainSeconds *float64 `json:"drain_seconds"`
	// ETASeconds is null where ETAState is never or unknown.
	ETASeconds             *float64  `json:"eta_seconds"`
	ETAState               ETAState  `json:"eta_state"`
	Read                   Mark      `json:"read"`
	Applied                Mark      `json:"applied"`
	SourceEnd              Mark      `json:"source_end"`
	ServerUUID             string    `json:"server_uuid"`
	SourceSampleAgeSeconds *float64  `json:"source_sample_age_seconds"` // Null before the first sample.
	ClockOffsetMS          *float64  `json:"clock_offset_ms"`           // Source minus local clock; null before the first sample.
	ObservedAt             time.Time `json:"observed_at"`
	// PreparedXA is how many XA transactions the source has prepared and not decided. They do not count as behind:
	// nobody can see them. Whoever cuts over must decide them first.
	PreparedXA int `json:"prepared_xa"`
}

// Problem is an error as /status shows it: the parts of a change.Fault, or a safe text of a transient error.
type Problem struct {
	Code  string    `json:"code"`
	Class int       `json:"exit_class"`
	What  string    `json:"what"`
	Where string    `json:"where,omitempty"`
	Next  string    `json:"next,omitempty"`
	At    time.Time `json:"at"`
}

// TableNote is a table that needs an operator's eye.
type TableNote struct {
	Table string `json:"table"`
	Class string `json:"class"`
	Why   string `json:"why"`
}

// Status is the body of GET /status.
type Status struct {
	Stream    string        `json:"stream"`
	Version   string        `json:"version"`
	State     State         `json:"state"`
	StartedAt time.Time     `json:"started_at"`
	Owner     string        `json:"owner"` // The claim's random token, short form.
	Mode      string        `json:"mode"`  // apply.mode of the config.
	Committed string        `json:"last_commit_mode"`
	Epoch     uint64        `json:"epoch"`
	Lag       Lag           `json:"lag"`
	Source    change.Source `json:"source"`
	Evidence  []any         `json:"connections"` // tlsconf.Evidence per leg.
	// Live are the open connections, each as both its ends see it.
	Live    []mysqlconn.Connection `json:"live_connections"`
	AtRest  *change.AtRest         `json:"at_rest"` // Null before it was looked at.
	Problem *Problem               `json:"problem,omitempty"`
	Totals  Totals                 `json:"totals"`
	Ordered []TableNote            `json:"ordered_tables"`
	Checkpt change.Checkpoint      `json:"checkpoint"`
}

// Totals count since the process started.
type Totals struct {
	Transactions uint64 `json:"transactions"`
	RowChanges   uint64 `json:"row_changes"` // Received from the source.
	RowsWritten  uint64 `json:"rows_written"`
	Epochs       uint64 `json:"epochs"`
	SplitEpochs  uint64 `json:"split_epochs"`
	DDL          uint64 `json:"ddl"`
	Reconnects   uint64 `json:"reconnects"`
	Runs         uint64 `json:"runs"` // Starts from the record, the first included.
	// SourceSwitches is how often another server of the same history took the source's place.
	SourceSwitches uint64 `json:"source_switches"`
}
