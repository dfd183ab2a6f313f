package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// Steady is the lag at a fixed rate of the source.
type Steady struct {
	Contender string  `json:"contender"`
	Round     int     `json:"round"`
	Asked     int     `json:"transactions_per_second_asked"`
	Reached   float64 `json:"transactions_per_second"` // What the source did, the marks among them.
	Marks     int     `json:"marks"`                   // How many commits were timed.
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	DaemonCPU float64 `json:"daemon_cpu_ms_per_1000_transactions"`
	TargetCPU float64 `json:"target_cpu_ms_per_1000_transactions"`
}

// SteadyPlan is what RunSteady does, Plan.Rounds times.
type SteadyPlan struct {
	Plan
	Rates  []int         // Transactions per second; distant contenders run at distantRate, or at the first.
	For    time.Duration // Measured; the seconds of warmUp come before.
	Binary string
	Only   []string // Names of the contenders to run, as Followers has them; all when empty.
}

// steadyNote says why both servers of steady runs have Plan.LogWriters.
const steadyNote = "Both servers have `innodb_log_writer_threads=ON`. Without these threads, MySQL's default up to 31 processors with a binary log, the leader of a group commit sometimes misses its wakeup in `log_buffer_wait_for_ready_for_write_lsn` and sleeps 100 ms while all others wait behind it: three to eight times in 35 s at 2,000 transactions/s (source 9.7.4, 2 processors); with them, never. The burst behind that is the server's lag, not the follower's."

// Of a steady run.
const (
	warmUp      = 5 * time.Second
	markEvery   = 5 * time.Millisecond
	marks       = int(time.Second / markEvery) // Each second, a part of the rate.
	distantRate = 2000
)

// RunSteady lets clients write oltp's transactions at a fixed rate while one marks its commits, and times when the marks
// can be read on the target. Both ends are on this machine and its one clock.
func RunSteady(ctx context.Context, p SteadyPlan) ([]Steady, error) {
	var all []Steady
	for _, rate := range p.Rates {
		follow := p.followers()
		if rate == distantRate || rate == p.Rates[0] && !slices.Contains(p.Rates, distantRate) {
			follow = append(follow, p.distant()...)
		}
		follow = slices.DeleteFunc(follow, func(c Contender) bool { return len(p.Only) > 0 && !slices.Contains(p.Only, c.Name) })
		for i := range p.Rounds * len(follow) {
			round, c := i/len(follow)+1, follow[i%len(follow)]
			s, err := p.steady(ctx, c, rate)
			if err != nil {
				return all, fmt.Errorf("%s at %d transactions/s, round %d: %w", c.Name, rate, round, err)
			}
			s.Round = round
			fmt.Fprintf(p.Out, "steady %6d/s  %-36s reached %6.0f/s  lag p50 %7.1f  p99 %7.1f  max %7.1f ms  cpu/1000 trx: daemon %5.1f target %6.1f ms\n",
				rate, s.Contender, s.Reached, s.P50, s.P99, s.Max, s.DaemonCPU, s.TargetCPU)
			all = append(all, s)
		}
	}
	return all, nil
}

// steady is one run on servers of its own.
func (p SteadyPlan) steady(ctx context.Context, c Contender, rate int) (s Steady, err error) {
	dir, err := os.MkdirTemp("", "binseal-bench-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, discard(ctx, dir, err)) }()
	a, err := newArena(ctx, dir, p.Plan)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.fill(ctx, oltp(), p.Plan); err != nil {
		return s, err
	}
	if err := a.source.Run(ctx, "CREATE TABLE "+schemaName+".marks (i INT PRIMARY KEY)"); err != nil {
		return s, err
	}
	if a.end, err = a.executed(ctx); err != nil {
		return s, err
	}
	s = Steady{Contender: c.Name, Asked: rate}
	m := &marking{a: a, rate: rate, rows: p.Size.of(100_000), seed: p.Seed, length: p.For, into: &s}
	a.follow = m.run // The contender calls it when it follows.
	var r Run
	if err := c.run(ctx, a, &r); err != nil {
		return s, err
	}
	s.DaemonCPU = r.DaemonCPU * 1e6 / float64(m.written)
	differences, err := a.differences(ctx)
	if err == nil && len(differences) > 0 {
		err = fmt.Errorf("the sides differ at the end: %v", differences)
	}
	return s, err
}

// nativeFollower is native replication that keeps following while a.follow runs.
func nativeFollower(workers int, ordered bool) Contender {
	c := Native(workers, ordered)
	return Contender{Name: c.Name, run: func(ctx context.Context, a *arena, r *Run) error {
		if err := c.run(ctx, a, r); err != nil { // To the begin; it stops there.
			return err
		}
		if err := a.target.Run(ctx, "START REPLICA"); err != nil {
			return err
		}
		if err := a.follow(ctx); err != nil {
			return err
		}
		return await(ctx, patience, "native replication has caught up", func() (bool, error) { return a.nativeHas(ctx) })
	}}
}

// Followers are the names of those that RunSteady compares in a plan.
func Followers(plan Plan) []string {
	p := SteadyPlan{Plan: plan}
	var names []string
	for _, c := range append(p.followers(), p.distant()...) {
		names = append(names, c.Name)
	}
	return names
}

// followers are native replication and binseal, near the target.
func (p SteadyPlan) followers() []Contender {
	return []Contender{nativeFollower(4, true), nativeFollower(16, true), nativeFollower(4, false), nativeFollower(16, false),
		{Name: "binseal auto", run: p.near(DaemonOptions{Mode: "auto"})}, {Name: "binseal strict", run: p.near(DaemonOptions{Mode: "strict"})}}
}

// distant are binseal with a longer round trip to the target, and binseal and native replication in any order, the better
// one, with longer commits, where the target has a binary log to hold them back.
func (p SteadyPlan) distant() []Contender {
	auto := DaemonOptions{Mode: "auto"}
	var all []Contender
	for _, ms := range []time.Duration{1, 5, 20} {
		all = append(all, far("binseal auto", auto, ms*time.Millisecond, p.follow))
	}
	if p.NoTargetLog {
		return all
	}
	for _, ms := range []time.Duration{2, 5, 20} {
		all = append(all, slowCommit(Contender{Name: "binseal auto", run: p.near(auto)}, ms*time.Millisecond), slowCommit(nativeFollower(16, false), ms*time.Millisecond))
	}
	return all
}

// near is binseal beside its target.
func (p SteadyPlan) near(o DaemonOptions) func(context.Context, *arena, *Run) error {
	return func(ctx context.Context, a *arena, r *Run) error { return p.follow(ctx, a, r, o) }
}

// follow is binseal that keeps following while a.follow runs.
func (p SteadyPlan) follow(ctx context.Context, a *arena, r *Run, o DaemonOptions) error {
	d, err := a.startDaemon(p.Binary, o)
	if err != nil {
		return err
	}
	caughtUp := func() error {
		return await(ctx, patience, "binseal has caught up", func() (bool, error) { return d.applied(ctx, a.end) })
	}
	followed := caughtUp()
	if followed == nil {
		followed = a.follow(ctx)
	}
	if followed == nil {
		followed = caughtUp()
	}
	var ended error
	r.DaemonCPU, r.PeakRSS, ended = d.stop()
	return errors.Join(followed, ended)
}

// marking is the load and the clock of a steady run.
type marking struct {
	a       *arena
	rate    int
	rows    int
	seed    uint64
	length  time.Duration
	into    *Steady
	written int // Transactions of the whole run.
}

// run writes at the rate and fills in the result.
func (m *marking) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, warmUp+m.length)
	defer cancel()
	target, err := cpuSeconds(m.a.target.PID())
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(context.WithoutCancel(ctx))
	var committed, seen []time.Time // By number of the mark.
	counts := make([]int, steadyClients)
	for k := range steadyClients {
		g.Go(func() error {
			n, err := m.client(ctx, k)
			counts[k] = n
			return err
		})
	}
	written := make(chan struct{})
	g.Go(func() (err error) {
		defer close(written)
		committed, err = m.mark(ctx)
		return err
	})
	g.Go(func() (err error) {
		seen, err = m.watch(gctx, written, &committed)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	m.written = len(committed)
	for _, n := range counts {
		m.written += n
	}
	used, err := cpuSeconds(m.a.target.PID())
	if err != nil {
		return err
	}
	m.into.TargetCPU = (used - target) * 1e6 / float64(m.written)
	m.into.Reached = float64(m.written) / (warmUp + m.length).Seconds()
	m.into.evaluate(committed, seen)
	m.a.end, err = m.a.executed(context.WithoutCancel(ctx))
	return err
}

// steadyClients share the rate; each has one transaction under way.
const steadyClients = 16

// client writes its share of the rate until ctx ends and counts the transactions.
func (m *marking) client(ctx context.Context, k int) (n int, err error) {
	whole := context.WithoutCancel(ctx)
	conn, err := m.a.source.DB().Conn(whole)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(whole, "USE "+schemaName); err != nil {
		return 0, err
	}
	rnd := rand.New(rand.NewPCG(m.seed, uint64(k)))
	every := time.Second * steadyClients / time.Duration(max(1, m.rate-marks))
	next := time.Now().Add(every * time.Duration(k) / steadyClients)
	for ; ; n++ {
		select {
		case <-ctx.Done():
			return n, nil
		case <-time.After(time.Until(next)):
		}
		if err := transact(whole, conn, writeOnlyText(rnd, m.rows, skewed)); err != nil {
			return n, err
		}
		if next = next.Add(every); time.Since(next) > time.Second { // The source does not bear the rate: no burst later.
			next = time.Now()
		}
	}
}

// mark commits numbered marks and notes when each was answered.
func (m *marking) mark(ctx context.Context) ([]time.Time, error) {
	whole := context.WithoutCancel(ctx)
	conn, err := m.a.source.DB().Conn(whole)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var at []time.Time
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return at, nil
		case <-tick.C:
		}
		if _, err := conn.ExecContext(whole, "INSERT INTO "+schemaName+".marks VALUES ("+strconv.Itoa(len(at))+")"); err != nil {
			return at, err
		}
		at = append(at, time.Now())
	}
}

// watch notes when each mark can first be read on the target; it ends when all that were written were seen.
func (m *marking) watch(ctx context.Context, written <-chan struct{}, committed *[]time.Time) ([]time.Time, error) {
	conn, err := m.a.target.DB().Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var seen []time.Time
	deadline := time.Now().Add(warmUp + m.length + patience)
	for time.Now().Before(deadline) {
		var last int
		err := conn.QueryRowContext(ctx, "SELECT COALESCE(MAX(i),-1) FROM "+schemaName+".marks").Scan(&last)
		if err != nil {
			return seen, err
		}
		for now := time.Now(); len(seen) <= last; {
			seen = append(seen, now)
		}
		select {
		case <-written:
			if len(seen) == len(*committed) {
				return seen, nil
			}
		default:
		}
		time.Sleep(500 * time.Microsecond)
	}
	return seen, errors.New("the target never had all marks")
}

// evaluate takes the lags of the marks behind the warm-up.
func (s *Steady) evaluate(committed, seen []time.Time) {
	var lags []float64
	for i := range committed {
		if committed[i].Sub(committed[0]) > warmUp {
			// A mark may be read on the target before its client has the answer.
			lags = append(lags, max(0, seen[i].Sub(committed[i]).Seconds()*1000))
		}
	}
	if len(lags) == 0 {
		return
	}
	slices.Sort(lags)
	at := func(q float64) float64 { return lags[int(q*float64(len(lags)-1))] }
	s.Marks, s.P50, s.P99, s.Max = len(lags), at(0.5), at(0.99), lags[len(lags)-1]
}

// short is the share of the asked rate below which a run has not had the load that it was to have.
const short = 0.97

// middles are, of each contender at each rate, in the order of the first round, the round whose p99 is in the middle (of an even
// number the better one) with the lowest and the highest p99.
func middles(runs []Steady) (middle []Steady, low, high []float64) {
	type who struct {
		rate int
		name string
	}
	of := map[who][]Steady{}
	var order []who
	for _, s := range runs {
		w := who{s.Asked, s.Contender}
		if of[w] == nil {
			order = append(order, w)
		}
		of[w] = append(of[w], s)
	}
	for _, w := range order {
		rounds := of[w]
		slices.SortFunc(rounds, func(a, b Steady) int { return cmp.Compare(a.P99, b.P99) })
		middle = append(middle, rounds[(len(rounds)-1)/2])
		low, high = append(low, rounds[0].P99), append(high, rounds[len(rounds)-1].P99)
	}
	return middle, low, high
}
