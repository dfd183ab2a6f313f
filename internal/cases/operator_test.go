package cases

import (
	"context"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/chaos"
	"github.com/binseal/binseal/stream"
	"github.com/google/go-cmp/cmp"
)

// named finds the transaction in the place that a halt names.
var named = regexp.MustCompile(`\(GTID ([0-9a-z:_-]+)\)`)

// operate is what an operator does behind a halt, with the means that he has: SQL, the config, binseal's commands.
func (p *play) operate(step Step) {
	p.t.Helper()
	switch step.Kind {
	case Halted:
		p.halted()
	case Configure:
		p.configure(step.SQL)
	case Skip:
		found := named.FindStringSubmatch(p.problem.Where)
		if found == nil {
			p.t.Fatalf("the place %q names no transaction to skip", p.problem.Where)
		}
		p.command("position", "skip", "--gtid", found[1])
	case Resume:
		p.problem = nil
		p.r.daemon = p.r.rig.Start(p.outer, chaos.Normal)
	}
}

// halted expects the halt by its code, with a place and a next step, and nothing of the transaction on the target.
// Then it stops the daemon as an operator does; its exit code must still say that a person is needed.
func (p *play) halted() {
	p.t.Helper()
	p.r.daemon.Signal(syscall.SIGCONT)
	st := p.r.daemon.Await(p.t, patience, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem == nil || st.Problem.Code != p.c.Refuse || st.Problem.Where == "" || st.Problem.Next == "" {
		p.t.Errorf("problem %+v, want %s with place and next step", st.Problem, p.c.Refuse)
	}
	p.t.Logf("halted: %+v", *st.Problem)
	if diff := cmp.Diff(p.before, p.digest()); diff != "" {
		p.t.Errorf("the refused transaction left something on the target (-before +after):\n%s", diff)
	}
	p.problem = st.Problem
	p.r.daemon.Signal(syscall.SIGTERM)
	const grace = 15 * time.Second // The daemon promises 10 s.
	if !p.r.daemon.Wait(grace) || p.r.daemon.ExitCode() != int(change.ClassPerson) {
		p.t.Fatalf("SIGTERM to the halted daemon: exit code %d\n%s", p.r.daemon.ExitCode(), p.r.daemon.Log())
	}
}

// configure puts a line into the config: of the section that it belongs to, or one of its own.
func (p *play) configure(line string) {
	rig := p.r.rig
	line = strings.ReplaceAll(line, "${schema}", p.c.Schema())
	if value, ok := strings.CutPrefix(line, "exclude: "); ok {
		rig.Exclude = value
		return
	}
	if value, ok := strings.CutPrefix(line, "at_rest: "); ok {
		rig.AtRest = value
		return
	}
	rig.Extra += line + "\n"
}

// command runs binseal with the stream's config.
func (p *play) command(args ...string) {
	p.t.Helper()
	code, out := p.r.rig.Command(context.WithoutCancel(p.t.Context()), p.t, args...)
	if code != 0 {
		p.t.Fatalf("binseal %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	p.t.Logf("binseal %s:\n%s", strings.Join(args, " "), out)
}

// onTarget runs SQL there, or a query that must find nothing: once the target has all so far, or at once while the stream stands.
func (p *play) onTarget(step Step) {
	p.t.Helper()
	if p.problem == nil {
		p.r.daemon.Signal(syscall.SIGCONT)
		p.r.rig.AwaitCaughtUp(p.t, p.r.daemon, patience)
	}
	if step.Kind == OnTarget {
		database, _ := p.r.rig.OnTarget(p.c.Schema(), "")
		p.r.rig.Target.Exec(p.t, "USE "+database, step.SQL)
		return
	}
	if rows := p.r.rig.Target.QueryT(p.t, step.SQL); len(rows) > 0 {
		p.t.Errorf("%d rows found on the target: %s", len(rows), step.SQL)
	}
}
