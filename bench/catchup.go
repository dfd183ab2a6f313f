package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Run is one catch-up.
type Run struct {
	Workload     string  `json:"workload"`
	Contender    string  `json:"contender"`
	Round        int     `json:"round"`
	Seconds      float64 `json:"seconds"` // From the start of the daemon, or of the replica's threads, to the last commit on the target.
	Transactions int64   `json:"transactions"`
	Changes      int64   `json:"changes"` // Row changes.
	LogBytes     uint64  `json:"log_bytes"`
	DaemonCPU    float64 `json:"daemon_cpu_seconds"` // Of the daemon, or of the client programs; 0 of native replication.
	TargetCPU    float64 `json:"target_cpu_seconds"`
	SourceCPU    float64 `json:"source_cpu_seconds"`
	PeakRSS      int64   `json:"peak_rss_bytes"`     // Of the daemon.
	Allocations  float64 `json:"daemon_allocations"` // Of memory of the daemon's heap, with its start and the answers to the bench.
	Epochs       uint64  `json:"epochs"`             // Of the daemon: its commits,
	RowsWritten  uint64  `json:"rows_written"`       // and the net row changes in them.
	Equal        bool    `json:"equal"`              // Both sides' tables were compared byte by byte.
}

// Plan is what a bench is to do.
type Plan struct {
	Name       string // Of the results' files.
	Machine    Machine
	Settings   map[string]string // Of both servers, for the report; see ServerSettings.
	Workloads  []*Workload
	Contenders []Contender
	Rounds     int
	Size       Size
	Seed       uint64
	Times      int    // Multiplies the backlog, not the tables; 0 is 1.
	Ratio      string // What the ratios are, where contenders have their own measure; "" for native's best of this run.
	// NoTargetLog: the target writes no binary log, as Aurora unless it is asked to. With one there is a way back, and so
	// the baselines of facts/performance.md were measured.
	NoTargetLog bool
	EndedEarly  error     // Why the runs are not all that the plan asks for; nil when they are. For the report.
	LogWriters  bool      // Both servers write the redo log on threads of their own; see steadyNote.
	Out         io.Writer // Progress, a line each run.
}

// CatchUp runs each contender over the same backlog of each workload, round by round, all in turn within a round; each
// round begins with another one. Of native replication's settings the first round finds the fastest; finalists of them run in
// the others. What was run before an error is returned with it.
func CatchUp(ctx context.Context, p Plan) ([]Run, error) {
	var all []Run
	for _, w := range p.Workloads {
		runs, err := catchUp(ctx, p, w)
		all = append(all, runs...)
		if err != nil {
			return all, fmt.Errorf("workload %s: %w", w.Name, err)
		}
	}
	return all, nil
}

func catchUp(ctx context.Context, p Plan, w *Workload) (runs []Run, err error) {
	dir, err := os.MkdirTemp("", "binseal-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, discard(ctx, dir, err)) }()
	a, err := newArena(ctx, dir, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	began := time.Now()
	if err := a.prepare(ctx, w, p); err != nil {
		return nil, err
	}
	fmt.Fprintf(p.Out, "%s: %s; %d transactions, %d row changes, %d MB of log, made in %s\n", w.Name, w.About, a.transactions, a.changes, a.logBytes>>20, time.Since(began).Round(time.Second))
	contenders := p.Contenders
	for round := 1; round <= p.Rounds; round++ {
		if round == 2 {
			contenders = later(contenders, runs)
		}
		for i := range contenders {
			c := contenders[(i+round-1)%len(contenders)]
			r, err := a.measure(ctx, w, c, round)
			if err != nil {
				return runs, fmt.Errorf("%s, round %d: %w", c.Name, round, err)
			}
			fmt.Fprintf(p.Out, "  %d  %-22s %8.2f s  %8.0f trx/s  %8.0f rows/s  cpu: daemon %6.2f target %6.2f source %5.2f s  peak %4d MiB  %d rows written in %d epochs\n", round, c.Name, r.Seconds,
				float64(r.Transactions)/r.Seconds, float64(r.Changes)/r.Seconds, r.DaemonCPU, r.TargetCPU, r.SourceCPU, r.PeakRSS>>20, r.RowsWritten, r.Epochs)
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// finalists is how many of native replication's settings run in more than one round.
const finalists = 2

// later are the contenders of the rounds behind the first, which runs are given of: those that run once are out, and of native
// replication's settings, where they compete with each other, all but the fastest.
func later(contenders []Contender, first []Run) []Contender {
	seconds := map[string]float64{}
	for _, r := range first {
		seconds[r.Contender] = r.Seconds
	}
	natives := slices.DeleteFunc(slices.Clone(contenders), func(c Contender) bool { return !strings.HasPrefix(c.Name, nativePrefix) || c.Against != "" })
	slices.SortFunc(natives, func(a, b Contender) int { return cmp.Compare(seconds[a.Name], seconds[b.Name]) })
	out := map[string]bool{}
	for _, c := range natives[min(finalists, len(natives)):] {
		out[c.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(contenders), func(c Contender) bool { return c.Once || out[c.Name] })
}

// discard removes the folder of a run's configs and logs, unless the run failed: its error points there.
func discard(ctx context.Context, dir string, failed error) error {
	if failed != nil && ctx.Err() == nil {
		return fmt.Errorf("the daemon's log is kept in %s", dir)
	}
	return os.RemoveAll(dir)
}

// measure is one run: the target as it was, the contender, a comparison of both sides.
func (a *arena) measure(ctx context.Context, w *Workload, c Contender, round int) (Run, error) {
	r := Run{Workload: w.Name, Contender: c.Name, Round: round, Transactions: a.transactions, Changes: a.changes, LogBytes: a.logBytes}
	if err := a.reset(ctx); err != nil {
		return r, err
	}
	target, err := cpuSeconds(a.target.PID())
	if err != nil {
		return r, err
	}
	source, err := cpuSeconds(a.source.PID())
	if err != nil {
		return r, err
	}
	if err := c.run(ctx, a, &r); err != nil {
		return r, err
	}
	if r.TargetCPU, err = cpuSeconds(a.target.PID()); err != nil {
		return r, err
	}
	if r.SourceCPU, err = cpuSeconds(a.source.PID()); err != nil {
		return r, err
	}
	r.TargetCPU, r.SourceCPU = r.TargetCPU-target, r.SourceCPU-source
	differences, err := a.differences(ctx)
	if err != nil {
		return r, err
	}
	if r.Equal = len(differences) == 0; !r.Equal {
		return r, fmt.Errorf("the sides differ at the end: %v", differences)
	}
	return r, nil
}
