package applier

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
)

// TestHowARunEnds: what an error of an epoch's execution means.
func TestHowARunEnds(t *testing.T) {
	server := func(number uint16) error { return &mysql.MySQLError{Number: number, Message: "secret"} }
	short := &mismatch{expectation: expectation{count: 2, verb: "UPDATE", table: modelTable(0)}, got: 1}
	lostMark := &mismatch{expectation: expectation{count: 1, verb: markVerb}, got: 0}
	lost := errors.New("connection lost")
	cases := map[string]struct {
		err          error
		transactions int
		overlapped   bool
		recovery     bool
		joined       int    // Ordered changes that joined others.
		unconfirmed  error  // The end of the COMMIT before, when there is one.
		code         string // Of the fault; "" for none.
		again        bool   // The run is to be repeated with care,
		single       bool   // one transaction at a time.
		is           error
	}{
		"a lost claim": {err: lostMark, transactions: 1, code: "BS-FENCED"},
		"a lost claim while the COMMIT before is under way": {err: lostMark, transactions: 3, overlapped: true, unconfirmed: nil, code: "BS-FENCED"},
		"a row too large":                                       {err: &change.Fault{Code: "BS-TOO-LARGE", Class: change.ClassPerson}, transactions: 3, code: "BS-TOO-LARGE"},
		"a lock wait timeout":                                   {err: server(1205), transactions: 1, again: true},
		"a deadlock in a split epoch":                           {err: server(1213), transactions: 9, again: true},
		"a lost connection":                                     {err: mysql.ErrInvalidConn, transactions: 9},
		"a server that shuts down":                              {err: server(1053), transactions: 9},
		"a read-only server: a failover":                        {err: server(1290), transactions: 9},
		"an error that is not the server's":                     {err: lost, transactions: 9},
		"a missing row in many transactions":                    {err: short, transactions: 2, again: true, single: true},
		"a missing row beside an unconfirmed COMMIT":            {err: short, transactions: 1, overlapped: true, again: true, single: true},
		"a missing row behind joined changes":                   {err: short, transactions: 1, joined: 1, again: true, single: true},
		"a missing row in one transaction, alone":               {err: short, transactions: 1, code: "BS-DIVERGED"},
		"a duplicate in many transactions":                      {err: server(1062), transactions: 2, again: true, single: true},
		"a duplicate in one transaction, alone":                 {err: server(1062), transactions: 1, code: "BS-DIVERGED"},
		"a refused value in one transaction, alone":             {err: server(3819), transactions: 1, code: "BS-REFUSED"},
		"a missing row in a recovery":                           {err: short, transactions: 5, recovery: true, code: "BS-DIVERGED"},
		"a lock wait timeout in a recovery":                     {err: server(1205), transactions: 5, recovery: true, again: true},
		"the COMMIT before was lost: what we saw means nothing": {err: short, transactions: 1, overlapped: true, unconfirmed: lost, is: lost},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newTestApplier()
			a.claim = &checkpoint.Claim{}
			if c.unconfirmed != nil {
				a.unconfirmed = &commit{done: make(chan struct{}), err: c.unconfirmed}
				close(a.unconfirmed.done)
			}
			e := &epoch{first: change.Position{File: "f.000001", Pos: 4}, end: change.Position{File: "f.000001", Pos: 9}, transactions: c.transactions, recovery: c.recovery, joined: c.joined}
			e.gtids.Add(change.GTID{GNO: 7})
			err := a.failed(t.Context(), e, c.err, c.overlapped)
			if err == nil {
				t.Fatal("no error")
			}
			again, ok := errors.AsType[*Again](err)
			if ok != c.again || ok && (again.Careful.Single != c.single || again.Careful.Until != e.end) {
				t.Errorf("again %v: %+v", ok, again)
			}
			code := ""
			if f := change.FaultOf(err); f != nil {
				code = f.Code
				want := "f.000001:4–f.000001:9"
				if c.transactions == 1 {
					want = "f.000001:4 (GTID " + e.gtids.String() + ")" // What a person can skip.
				}
				if !strings.HasPrefix(f.Where, want) && code != "BS-FENCED" {
					t.Errorf("where: %q", f.Where)
				}
			}
			if code != c.code || change.Halts(err) != (c.code != "") {
				t.Errorf("got %q, want %q: %v", code, c.code, err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v, want %v", err, c.is)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the server's text, which may hold values, is in the error: %v", err)
			}
		})
	}
}

// TestFailedLoadsRest: nothing is loaded for an hour when loading has failed, whatever fails meanwhile.
func TestFailedLoadsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := func(careful Careful, err error) Careful {
			a := newTestApplier()
			a.cfg.Careful = careful
			again, ok := errors.AsType[*Again](a.failed(t.Context(), &epoch{transactions: 9}, err, false))
			if !ok {
				t.Fatal("the run is not repeated")
			}
			return again.Careful
		}
		loads := func(careful Careful) bool {
			a := newTestApplier()
			a.loads, a.cfg.Careful = true, careful
			return a.mayLoad(&epoch{first: change.Position{File: "f.000001", Pos: 9}})
		}
		if !loads(Careful{}) {
			t.Error("nothing is loaded before anything has failed")
		}
		careful := behind(Careful{}, &loadError{errors.New("2 warnings")})
		time.Sleep(loadsAgain / 2)
		careful = behind(careful, &mysql.MySQLError{Number: 1205}).Lasting()
		time.Sleep(loadsAgain/2 - time.Second)
		if loads(careful) {
			t.Error("loaded within the hour")
		}
		time.Sleep(time.Second)
		if !loads(careful) {
			t.Error("not loaded behind the hour")
		}
	})
}

func TestAStoppedRunTellsWhy(t *testing.T) {
	why := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(why)
	if err := newTestApplier().failed(ctx, newEpoch(), errors.New("cancelled"), false); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestShardsAreChosenByModeAndSize(t *testing.T) {
	careful := Careful{Until: change.Position{File: "f.000001", Pos: 9}}
	cases := map[string]struct {
		cfg      Config
		rows     int
		recovery bool
		split    bool
	}{
		"strict, however large":       {Config{Mode: Strict}, 5 * splitRows, false, false},
		"split, however small":        {Config{Mode: Split}, 1, false, true},
		"auto, near the source":       {Config{Mode: Auto}, splitRows - 1, false, false},
		"auto, with a backlog":        {Config{Mode: Auto}, splitRows, false, true},
		"split, where care is needed": {Config{Mode: Split, Careful: careful}, 5 * splitRows, false, false},
		"split, in a recovery":        {Config{Mode: Split}, 5 * splitRows, true, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := bound(t, modelTable(0), plainMap)
			a := newTestApplier(b)
			a.cfg.Mode, a.cfg.Careful, a.cfg.Sessions = c.cfg.Mode, c.cfg.Careful, 3
			e, err := mergeRows(t.Context(), a, rowsOf(plainMap, change.Insert, 0, image("a", 1), image("b", 1), image("c", 1)))
			if err != nil {
				t.Fatal(err)
			}
			e.rows, e.recovery, e.first = c.rows, c.recovery, change.Position{File: "f.000001", Pos: 4}
			p, err := a.plan(e)
			if err != nil || (len(p.followers) > 0) != c.split {
				t.Errorf("%d followers, %v", len(p.followers), err)
			}
			if want := c.cfg.Careful == careful || c.recovery; a.alone(e) != want {
				t.Errorf("begins alone: %v", a.alone(e))
			}
		})
	}
}
