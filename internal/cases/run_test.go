package cases

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/chaos"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { chaos.Main(m) }

// patience is how long a case's changes may take on a busy machine; usually some hundredths of a second.
const patience = 60 * time.Second

// TestCases runs the quick cases of the source that BINSEAL_SOURCE names; all with BINSEAL_CASES=all, or those whose names
// contain BINSEAL_CASES. The target's settings differ from the source's wherever they could spoil data.
//
// In strict mode the daemon follows live. In split mode it is frozen while the changes are made, so that they meet it
// as a backlog and merge.
func TestCases(t *testing.T) {
	all, err := Load("../../testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sourceNames(t) {
		t.Run(name, func(t *testing.T) { runAll(t, all, name) })
	}
}

// runAll runs the wanted cases from one source, in both modes.
func runAll(t *testing.T, all []Case, name string) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			rig := chaos.NewRig(t, chaos.Options{Source: startSource[name](t, mode), Target: testmysql.StartT(t, targetOptions(name)), Mode: mode})
			rig.Include = "c_*.*"
			rig.Target.Exec(t, "GRANT ALL ON `c_%`.* TO 'applier'@'%'")
			r := &runner{rig: rig, freeze: mode == "split", prefix: mode}
			for _, c := range all {
				if wanted(c, name) && (mode == "split" || !c.SplitOnly) {
					t.Run(c.Name, func(inner *testing.T) { r.run(t, inner, c) })
					alive(t, rig.Source, rig.Target)
				}
			}
			if r.daemon != nil {
				rig.AwaitCaughtUp(t, r.daemon, patience) // The last case's databases go through the stream too.
				r.daemon.Kill()
			}
		})
	}
}

// alive ends the test where a server has ended by itself: the cases behind it would each wait for it in vain.
func alive(t *testing.T, servers ...*testmysql.Server) {
	t.Helper()
	for _, s := range servers {
		if !s.Alive() {
			t.Fatalf("server %s has ended by itself: see error.log in its folder", s.Name)
		}
	}
}

func targetOptions(source string) testmysql.Options {
	o := testmysql.ContraryTargetOptions()
	if source != defaultSource { // They leave the cascades of foreign keys to the target: see BS-CASCADES.
		o.Extra = append(o.Extra, "--innodb-native-foreign-keys=ON")
	}
	return o
}

func wanted(c Case, source string) bool {
	if !slices.Contains(c.Sources, source) {
		return false
	}
	which := os.Getenv("BINSEAL_CASES")
	return c.Quick && which == "" || which == "all" || which != "" && strings.Contains(c.Name, which)
}

// runner keeps one daemon over the cases that it survives.
type runner struct {
	rig     *chaos.Rig
	freeze  bool
	prefix  string
	streams int
	daemon  *chaos.Daemon // Nil when the next case needs a new stream.
}

// run is one case. outer is the test in which the daemon lives.
func (r *runner) run(outer, t *testing.T, c Case) {
	if c.Config.Given() && r.daemon != nil {
		r.rig.AwaitCaughtUp(t, r.daemon, patience) // What the case before has dropped.
		r.daemon.Kill()
		r.daemon = nil
	}
	if r.daemon == nil {
		r.rig.Rename, r.rig.Extra = c.Config.Rename, c.Config.Extra
		r.streams++ // A new stream starts at the source's end, behind what was refused.
		r.rig.Name = fmt.Sprintf("%s-%d", r.prefix, r.streams)
		r.daemon = r.rig.Start(outer, chaos.Normal)
		r.daemon.Await(t, patience, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	}
	p := &play{r: r, t: t, outer: outer, c: c, sessions: map[string]*sql.Conn{}}
	t.Cleanup(func() { p.end() })
	r.rig.Source.Exec(t, "CREATE DATABASE "+c.Schema()+" CHARACTER SET utf8mb4")
	p.steps(c.Setup)
	r.rig.AwaitCaughtUp(t, r.daemon, patience)
	p.changes()
	r.rig.AwaitCaughtUp(t, r.daemon, patience)
	p.equal("in the end")
}

// play is one run of a case.
type play struct {
	r        *runner
	t, outer *testing.T
	c        Case
	sessions map[string]*sql.Conn
	before   map[string]string // The target's tables before the refused transaction.
	problem  *stream.Problem   // Of the halt, while the operator is at work.
}

// changes makes the case's changes, frozen where the mode wants it.
func (p *play) changes() {
	if p.r.freeze {
		p.r.daemon.Signal(syscall.SIGSTOP)
		defer func() { p.r.daemon.Signal(syscall.SIGCONT) }()
	}
	p.steps(p.c.Changes)
}

func (p *play) steps(steps []Step) {
	for _, step := range steps {
		switch step.Kind {
		case Statement:
			p.statement(step)
		case Restart:
			p.r.daemon.Kill()
			p.r.daemon = p.r.rig.Start(p.outer, chaos.Normal)
		case Halted, Configure, Skip, Resume:
			p.operate(step)
		case OnTarget, Nothing:
			p.onTarget(step)
		default:
			p.r.daemon.Signal(syscall.SIGCONT)
			p.r.rig.AwaitCaughtUp(p.t, p.r.daemon, patience)
			p.pause(step)
		}
	}
}

// pause is a step that wants the target caught up.
func (p *play) pause(step Step) {
	switch step.Kind {
	case Refused:
		p.equal("before the refusal")
		p.before = p.digest()
	case Unequal:
		p.before = p.digest()
	}
}

func (p *play) statement(step Step) {
	conn := p.sessions[step.Session]
	if conn == nil {
		var err error
		if conn, err = p.r.rig.Source.DB().Conn(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.sessions[step.Session] = conn
		if _, err := conn.ExecContext(p.t.Context(), "USE "+p.c.Schema()); err != nil {
			p.t.Fatal(err)
		}
	}
	_, err := conn.ExecContext(p.t.Context(), step.SQL)
	if (err != nil) != step.Fails {
		p.t.Fatalf("source: %.300s: error %v, an error wanted: %v", step.SQL, err, step.Fails)
	}
}

// schemas are the case's own and those that it made beside it, by name.
func (p *play) schemas(s *testmysql.Server) []string {
	var names []string
	for _, row := range s.QueryT(p.t, "SHOW DATABASES") {
		if name := row[0]; name == p.c.Schema() || strings.HasPrefix(name, p.c.Schema()+"_") {
			names = append(names, name)
		}
	}
	return names
}

func (p *play) equal(when string) {
	p.t.Helper()
	source, target := p.schemas(p.r.rig.Source), p.schemas(p.r.rig.Target)
	if diff := cmp.Diff(p.databasesOnTarget(source), target); diff != "" {
		p.t.Errorf("%s: databases (-source +target):\n%s", when, diff)
	}
	defer p.underSourceNames()()
	source = slices.Compact(slices.Sorted(slices.Values(append(source, target...)))) // With tables that only the target has.
	compare := testmysql.Compare
	if p.c.ByName {
		compare = testmysql.CompareByName
	}
	differences, _, err := compare(context.WithoutCancel(p.t.Context()), p.r.rig.Source.DB(), p.r.rig.Target.DB(), source...)
	if err != nil || len(differences) > 0 {
		p.t.Errorf("%s: error %v, differences %v", when, err, differences)
	}
}

func (p *play) digest() map[string]string {
	p.t.Helper()
	digest, err := p.r.rig.Target.Digest(context.WithoutCancel(p.t.Context()), p.schemas(p.r.rig.Target)...)
	if err != nil {
		p.t.Fatal(err)
	}
	return digest
}

// end removes the case's databases: through the stream after an equal case, else on both sides, and the next case
// gets a new stream, with the config that all begin with.
func (p *play) end() {
	for _, conn := range p.sessions {
		// A session's settings must not reach the next case.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}
	p.r.rig.Extra, p.r.rig.AtRest, p.r.rig.Exclude = "", "", ""
	servers := []*testmysql.Server{p.r.rig.Source}
	if p.t.Failed() || p.c.Refuse != "" || p.c.Config.Given() {
		p.r.daemon.Kill()
		p.r.daemon = nil
		servers = append(servers, p.r.rig.Target)
	}
	for _, s := range servers {
		for _, name := range slices.Backward(p.schemas(s)) { // Those with foreign keys into the case's own first.
			s.Exec(p.t, "DROP DATABASE IF EXISTS `"+name+"`")
		}
	}
}
