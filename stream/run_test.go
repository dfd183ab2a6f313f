package stream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/binseal/binseal/applier"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

func TestMain(m *testing.M) {
	// The collations' library brings a logger that starts a goroutine when the process starts.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// broken is a stream whose target's password cannot be had: each run ends with the error that fail gives.
type broken struct {
	*Stream
	runs []time.Duration // When each run began, since the first.
}

func newBroken(t *testing.T, exitOnHalt bool, fail func(run int) error) *broken {
	t.Helper()
	client, err := tlsconf.New("target", tlsconf.Config{CA: "system"})
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{}
	var begun time.Time
	password := func(context.Context, ...mysqlconn.Secret) (mysqlconn.Secret, error) {
		if begun.IsZero() {
			begun = time.Now()
		}
		b.runs = append(b.runs, time.Since(begun))
		return "", fail(len(b.runs))
	}
	b.Stream, err = New(Options{Name: "shop", Filter: &schema.Filter{}, ExitOnHalt: exitOnHalt,
		Source: &mysqlconn.Endpoint{Leg: "source", Addr: "source.example:3306", User: "u", TLS: client},
		Target: &mysqlconn.Endpoint{Leg: "target", Addr: "target.example:3306", User: "u", TLS: client, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fault(code string, class change.Class) *change.Fault {
	return &change.Fault{Code: code, Class: class, What: "it broke", Where: "here", Next: "mend it"}
}

// start runs the stream; the error arrives on the channel.
func (b *broken) start(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	synctest.Wait()
	return done
}

func ended(done <-chan error) (error, bool) {
	synctest.Wait()
	select {
	case err := <-done:
		return err, true
	default:
		return nil, false
	}
}

func TestWhatEndsAStream(t *testing.T) {
	cases := map[string]struct {
		class      change.Class
		exitOnHalt bool
		streamed   bool
		ends       bool // Run returns by itself.
		state      State
	}{
		"the environment refuses the first start":             {change.ClassEnvironment, false, false, true, StateStopped},
		"the configuration cannot be right":                   {change.ClassConfig, false, false, true, StateStopped},
		"the environment refuses once we have streamed":       {change.ClassEnvironment, false, true, false, StateReconnecting},
		"something fails that may pass":                       {change.ClassRuntime, false, false, false, StateReconnecting},
		"a person is needed: it stays up to tell why":         {change.ClassPerson, false, false, false, StateHalted},
		"a person is needed, also after it has streamed":      {change.ClassPerson, false, true, false, StateHalted},
		"a person is needed, and nobody reads the status":     {change.ClassPerson, true, false, true, StateHalted},
		"something that may pass does not end --exit-on-halt": {change.ClassRuntime, true, false, false, StateReconnecting},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := fault("BS-TEST", c.class)
				b := newBroken(t, c.exitOnHalt, func(int) error { return want })
				b.streamed = c.streamed
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := b.start(ctx)
				err, over := ended(done)
				if over != c.ends {
					t.Fatalf("ended: %v, %v", over, err)
				}
				if over && !errors.Is(err, want) {
					t.Fatalf("got %v", err)
				}
				st := b.Status()
				if st.State != c.state || st.Problem == nil || st.Problem.Code != "BS-TEST" || st.Problem.Next != "mend it" {
					t.Errorf("%s, %+v", st.State, st.Problem)
				}
				if ok, _ := b.Healthy(); ok != (c.state == StateReconnecting) {
					t.Errorf("healthy: %v", ok)
				}
				if ok, why := b.Ready(); ok || why != string(c.state) {
					t.Errorf("ready: %v, %s", ok, why)
				}
				if over {
					return
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if err, over := ended(done); over {
					t.Fatalf("ended by itself: %v", err)
				}
				if halted := c.state == StateHalted; halted && len(b.runs) != 1 {
					t.Errorf("a halted stream has run %d times", len(b.runs))
				}
				cancel()
				err, _ = ended(done)
				if halted := c.state == StateHalted; halted != errors.Is(err, want) || !halted && err != nil {
					t.Errorf("at SIGTERM: %v", err)
				}
			})
		})
	}
}

func TestRunsAreRepeatedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroken(t, false, func(int) error { return fault("BS-TEST", change.ClassRuntime) })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := b.start(ctx)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for i := 1; i < len(b.runs); i++ {
			base := min(backoffMin<<min(i-1, 20), backoffMax)
			if pause := b.runs[i] - b.runs[i-1]; pause < base/2 || pause > base/2+base {
				t.Errorf("before run %d a pause of %s, base %s", i+1, pause, base)
			}
		}
		if n := len(b.runs); n < 80 {
			t.Errorf("%d runs in ten minutes", n)
		}
		st := b.Status()
		if int(st.Totals.Runs) != len(b.runs) || st.Totals.Reconnects != st.Totals.Runs {
			t.Errorf("%d runs, totals %+v", len(b.runs), st.Totals)
		}
		cancel()
		if err, over := ended(done); !over || err != nil || b.Status().State != StateStopped {
			t.Errorf("at SIGTERM: %v, %v, %s", over, err, b.Status().State)
		}
	})
}

// TestProgressResetsThePause: a run that has committed something was not in vain.
func TestProgressResetsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *broken
		b = newBroken(t, false, func(int) error {
			b.mu.Lock()
			b.epoch++
			b.mu.Unlock()
			return fault("BS-TEST", change.ClassRuntime)
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := b.start(ctx)
		time.Sleep(10 * time.Second)
		cancel()
		_, _ = ended(done)
		for i := 1; i < len(b.runs); i++ {
			if pause := b.runs[i] - b.runs[i-1]; pause > 3*backoffMin {
				t.Fatalf("before run %d a pause of %s", i+1, pause)
			}
		}
	})
}

// TestServerIDClash: the first one is most often a daemon that has taken the stream over, which the claim will tell.
// Two replicas with one id would end each other's connection for ever, so a second one halts.
func TestServerIDClash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clash := fault("BS-SERVER-ID-CLASH", change.ClassPerson)
		b := newBroken(t, true, func(int) error { return clash })
		err, over := ended(b.start(t.Context()))
		if over {
			t.Fatalf("the first clash ends the stream: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if st := b.Status(); st.State != StateHalted || len(b.runs) != 2 {
			t.Errorf("%s after %d runs", st.State, len(b.runs))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBroken(t, true, nil)
		for range 3 {
			if !b.firstClash(fault("BS-SERVER-ID-CLASH", change.ClassPerson)) {
				t.Error("clashes far apart are not one")
			}
			time.Sleep(clashWindow + time.Second)
		}
		if b.firstClash(fault("BS-OTHER", change.ClassPerson)) {
			t.Error("any fault is a clash")
		}
	})
}

func TestErrorsThatOnlySayThatWeEndedTheReader(t *testing.T) {
	f := fault("BS-TEST", change.ClassPerson)
	other := errors.New("other")
	cases := map[string]struct{ err, want error }{
		"none":                            {nil, nil},
		"cancelled":                       {context.Canceled, nil},
		"a fault":                         {f, f},
		"another error":                   {other, other},
		"a time-out is real":              {context.DeadlineExceeded, context.DeadlineExceeded},
		"a fault that was also cancelled": {errors.Join(f, context.Canceled), f},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := real(c.err); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestBeatsAreOfferedAndNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Stream{beat: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.tickBeats(ctx) }()
		time.Sleep(5*beatEvery + time.Second) // A busy applier: nobody listens.
		select {
		case <-s.beat:
			t.Error("a beat has waited")
		default:
		}
		begun := time.Now()
		<-s.beat
		if waited := time.Since(begun); waited > beatEvery {
			t.Errorf("the next beat after %s", waited)
		}
		cancel()
		<-done
	})
}

func TestAnObserverKeepsTheTotals(t *testing.T) {
	b := newBroken(t, false, nil)
	if err := b.lag.restart(change.Checkpoint{Pos: at(4)}); err != nil {
		t.Fatal(err)
	}
	b.lag.received([]*change.Txn{{First: true, CommitTime: noon}})
	w := &watcher{stream: b.Stream, base: b.lag.sequence()} // One transaction was received by a run before.
	for i := range 3 {
		b.lag.received([]*change.Txn{{First: true, CommitTime: noon.Add(time.Duration(i+1) * time.Second)}})
	}
	if err := b.lag.restart(change.Checkpoint{Pos: at(4)}); err != nil {
		t.Fatal(err)
	}
	w.Committed(applier.Progress{Checkpoint: change.Checkpoint{Pos: at(20), Source: change.Source{ServerUUID: "u"}}, Epoch: 7, Split: true, Transactions: 2, Changes: 9, Rows: 5})
	w.Committed(applier.Progress{Checkpoint: change.Checkpoint{Pos: at(30), Source: change.Source{ServerUUID: "u"}}, Epoch: 8, Transactions: 1, DDL: true})
	w.Executed(time.Second, 3)
	w.CommitTook(time.Second)
	for _, table := range []string{"shop.b", "shop.a", "shop.b"} {
		w.TableOrdered(table, "no primary key")
	}
	st := b.Status()
	want := Totals{Transactions: 3, RowChanges: 9, RowsWritten: 5, Epochs: 2, SplitEpochs: 1, DDL: 1}
	if diff := cmp.Diff(want, st.Totals); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]TableNote{{"shop.a", "ordered", "no primary key"}, {"shop.b", "ordered", "no primary key"}}, st.Ordered); diff != "" {
		t.Error(diff)
	}
	if st.Epoch != 8 || st.Committed != "strict" || st.Checkpt.Pos != at(30) || st.Lag.Applied.Pos != 30 || st.Source.ServerUUID != "u" {
		t.Errorf("%+v", st)
	}
}

func TestAStreamNeedsItsParts(t *testing.T) {
	if _, err := New(Options{Name: "shop"}); err == nil {
		t.Error("made without source and target")
	}
	registry := prometheus.NewRegistry()
	client, err := tlsconf.New("target", tlsconf.Config{CA: "system"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{Name: "shop", Filter: &schema.Filter{}, Registerer: registry,
		Source: &mysqlconn.Endpoint{Leg: "source", TLS: client}, Target: &mysqlconn.Endpoint{Leg: "target", TLS: client}})
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather() // Before anything is known.
	if err != nil || len(families) < 10 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

// TestTheEndOfAHalfDoneEpochMustBeTheSources: a source that was promoted without its last transactions would leave
// the epoch half done for ever, with a lag of 0.
func TestTheEndOfAHalfDoneEpochMustBeTheSources(t *testing.T) {
	const id = "01000000-0000-0000-0000-000000000000"
	cases := map[string]struct {
		byGTID   bool
		end      change.Position
		executed string
		halts    bool
	}{
		"by position, the source has gone on":   {false, at(200), "", false},
		"by position, the end is its last byte": {false, at(100), "", false},
		"by position, it is behind":             {false, at(99), id + ":1-50", true},
		"by GTID, all executed":                 {true, at(1), id + ":1-10", false},
		"by GTID, the last one is missing":      {true, at(900), id + ":1-9:11-20", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			st := checkpoint.State{Checkpoint: change.Checkpoint{Pos: at(50), ByGTID: c.byGTID}, HalfDone: &checkpoint.End{Pos: at(100), GTIDs: id + ":1-10"}}
			err := endReached(st, replicator.SourceInfo{End: c.end, Executed: gtidSet(t, c.executed)})
			if f := change.FaultOf(err); change.Halts(err) != c.halts || c.halts && f.Code != "BS-HALF-DONE" {
				t.Errorf("got %v", err)
			}
		})
	}
}
