package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/binseal/binseal/internal/faultproxy"
)

// far runs binseal with the target a round trip of d away: a proxy holds each byte back for half of it, both ways. Without
// any it is there too, so that distance alone is what differs.
func far(name string, o DaemonOptions, d time.Duration, run func(context.Context, *arena, *Run, DaemonOptions) error) Contender {
	return Contender{Name: fmt.Sprintf("%s, round trip +%d ms", name, d.Milliseconds()), run: func(ctx context.Context, a *arena, r *Run) error {
		proxy, err := faultproxy.New(a.target.Addr)
		if err != nil {
			return err
		}
		defer proxy.Close()
		proxy.SetDelay(faultproxy.ToServer, d/2)
		proxy.SetDelay(faultproxy.ToClient, d/2)
		o.TargetAddr = proxy.Addr()
		return run(ctx, a, r, o)
	}}
}

// slowCommitNote says how slowCommit makes commits slow.
const slowCommitNote = "The target itself makes its commits slower, as storage does that waits for a quorum of disks far away: `binlog_group_commit_sync_delay` holds each group of commits back before its log is synced, after the rows were written and before anybody is answered."

// slowCommit is a contender on a target whose commits take d longer; see slowCommitNote.
func slowCommit(c Contender, d time.Duration) Contender {
	return Contender{Name: fmt.Sprintf("%s, commit +%d ms", c.Name, d.Milliseconds()), run: func(ctx context.Context, a *arena, r *Run) error {
		if err := a.target.Run(ctx, fmt.Sprintf("SET GLOBAL binlog_group_commit_sync_delay=%d", d.Microseconds())); err != nil {
			return err
		}
		return c.run(ctx, a, r)
	}}
}

const commitPlan = "distance-commit"

// DistancePlans compare catch-up near and far from the target: with a longer round trip, and with longer commits. Each
// contender is measured by itself with nothing added.
func DistancePlans(p Plan, binary string) []Plan {
	near := []Contender{Binseal(StrictMode, binary, DaemonOptions{Mode: "strict"}), Binseal(Split, binary, DaemonOptions{Mode: "split"})}
	trip, commit := p.named("distance-round-trip"), p.named(commitPlan)
	trip.Ratio, commit.Ratio = "its own rate with +0 ms", "its own rate with +0 ms"
	for i, mode := range []string{"strict", "split"} {
		for _, ms := range []time.Duration{0, 1, 5, 20} {
			trip.Contenders = append(trip.Contenders, far(near[i].Name, DaemonOptions{Mode: mode}, ms*time.Millisecond, catchUpWith(binary)).against(near[i].Name+", round trip +0 ms"))
		}
	}
	for _, c := range append(near, Native(16, true), Native(16, false)) {
		for _, ms := range []time.Duration{0, 2, 5, 20} {
			commit.Contenders = append(commit.Contenders, slowCommit(c, ms*time.Millisecond).against(c.Name+", commit +0 ms"))
		}
	}
	if p.NoTargetLog {
		return []Plan{trip} // A longer commit is made with the log's.
	}
	return []Plan{trip, commit}
}

// ScalingPlans vary one thing at a time: sessions, the rows of an epoch, the daemon's processors, the length of the backlog.
func ScalingPlans(p Plan, binary string) []Plan {
	plan := func(name, ratio string, like Contender, others ...Contender) Plan {
		q := p.named("scaling-" + name)
		q.Ratio = ratio
		for _, c := range append([]Contender{like}, others...) {
			q.Contenders = append(q.Contenders, c.against(like.Name))
		}
		return q
	}
	both := func(name string, o DaemonOptions) []Contender {
		var all []Contender
		for _, mode := range []string{"strict", "split"} {
			o.Mode = mode
			all = append(all, Binseal(mode+", "+name, binary, o))
		}
		return all
	}
	var sessions, epochs, processors []Contender
	for _, n := range []int{1, 2, 4, 8, 16} { // A strict epoch has one session.
		sessions = append(sessions, Binseal(fmt.Sprintf("split, %d sessions", n), binary, DaemonOptions{Mode: "split", Sessions: n}))
	}
	for _, n := range []int{100, 1000, 10_000, 100_000} {
		epochs = append(epochs, both(fmt.Sprintf("epochs of %d rows", n), DaemonOptions{EpochRows: n})...)
	}
	for _, n := range []int{1, 2} {
		processors = append(processors, both(fmt.Sprintf("GOMAXPROCS=%d", n), DaemonOptions{MaxProcs: n})...)
	}
	plans := []Plan{
		plan("sessions", "the rate of 1 session", sessions[0], sessions[1:]...),
		plan("epochs", "the rate of strict epochs of 100 rows", epochs[0], epochs[1:]...),
		plan("processors", "the rate of strict on one processor", processors[0], processors[1:]...),
	}
	for _, times := range []int{1, 4, 16} {
		longer := plan(fmt.Sprintf("backlog-%d", times), "the rate of strict", Binseal(StrictMode, binary, DaemonOptions{Mode: "strict"}), Binseal(Split, binary, DaemonOptions{Mode: "split"}))
		longer.Times = times
		plans = append(plans, longer)
	}
	return plans
}

// named is a plan of its own, without contenders.
func (p Plan) named(name string) Plan {
	if p.Name, p.Contenders = name, nil; p.NoTargetLog {
		p.Name += NoLog
	}
	return p
}

// against is c with its time measured by another's.
func (c Contender) against(name string) Contender {
	c.Against = name
	return c
}
