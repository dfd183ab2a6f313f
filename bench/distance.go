package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/binseal/binseal/internal/faultproxy"
)

// far runs binseal with the target a round trip of d away: a proxy holds each byte back for half of it, both ways.
func far(name string, o DaemonOptions, d time.Duration, run func(context.Context, *arena, *Run, DaemonOptions) error) Contender {
	if d > 0 {
		name = fmt.Sprintf("%s, round trip +%d ms", name, d.Milliseconds())
	}
	return Contender{Name: name, run: func(ctx context.Context, a *arena, r *Run) error {
		if d == 0 {
			return run(ctx, a, r, o)
		}
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

// slowCommit is a contender on a target whose commits take d longer, as on storage that waits for a quorum of disks far
// away. The server itself waits: with a binary log, binlog_group_commit_sync_delay holds each group of commits back
// before it is synced, after the rows were written and before anybody is answered.
func slowCommit(c Contender, d time.Duration) Contender {
	return Contender{Name: fmt.Sprintf("%s, commit +%d ms", c.Name, d.Milliseconds()), run: func(ctx context.Context, a *arena, r *Run) error {
		if err := a.target.Run(ctx, fmt.Sprintf("SET GLOBAL binlog_group_commit_sync_delay=%d", d.Microseconds())); err != nil {
			return err
		}
		return c.run(ctx, a, r)
	}}
}

// DistancePlans compare catch-up near and far from the target: with a longer round trip, and with longer commits.
func DistancePlans(p Plan, binary string) []Plan {
	var trips, commits []Contender
	for _, mode := range []string{"strict", "split"} {
		o := DaemonOptions{Mode: mode}
		near := Binseal("binseal "+mode, binary, o)
		for _, ms := range []time.Duration{0, 1, 5, 20} {
			trips = append(trips, far("binseal "+mode, o, ms*time.Millisecond, catchUpWith(binary)))
		}
		for _, ms := range []time.Duration{0, 2, 5, 20} {
			commits = append(commits, slowCommit(near, ms*time.Millisecond))
		}
	}
	for _, ms := range []time.Duration{0, 2, 5, 20} {
		commits = append(commits, slowCommit(Native(16, true), ms*time.Millisecond))
	}
	trip, commit := p, p
	trip.Name, trip.Contenders, trip.Baseline = "distance-round-trip", trips, Split
	commit.Name, commit.Contenders, commit.Baseline, commit.NoTargetLog = "distance-commit", commits, "binseal split, commit +0 ms", false
	return []Plan{trip, commit}
}

// ScalingPlans vary one thing at a time: sessions, the daemon's processors, the length of the backlog.
func ScalingPlans(p Plan, binary string) []Plan {
	var contenders []Contender
	for _, n := range []int{1, 2, 4, 8, 16} {
		contenders = append(contenders, Binseal(fmt.Sprintf("split, %d sessions", n), binary, DaemonOptions{Mode: "split", Sessions: n}))
	}
	for _, n := range []int{100, 1000, 10_000, 100_000} {
		contenders = append(contenders, Binseal(fmt.Sprintf("split, epochs of %d rows", n), binary, DaemonOptions{Mode: "split", EpochRows: n}),
			Binseal(fmt.Sprintf("strict, epochs of %d rows", n), binary, DaemonOptions{Mode: "strict", EpochRows: n}))
	}
	for _, n := range []int{1, 2} {
		contenders = append(contenders, Binseal(fmt.Sprintf("split, GOMAXPROCS=%d", n), binary, DaemonOptions{Mode: "split", MaxProcs: n}))
	}
	sessions := p
	sessions.Name, sessions.Contenders, sessions.Baseline = "scaling-sessions", contenders, "split, 1 sessions"
	plans := []Plan{sessions}
	for _, times := range []int{1, 4, 16} {
		longer := p
		longer.Name, longer.Times = fmt.Sprintf("scaling-backlog-%d", times), times
		longer.Contenders = []Contender{Binseal(StrictMode, binary, DaemonOptions{Mode: "strict"}), Binseal(Split, binary, DaemonOptions{Mode: "split"})}
		longer.Baseline = StrictMode
		plans = append(plans, longer)
	}
	return plans
}
