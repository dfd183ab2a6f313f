package main

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/binseal/binseal/stream"
)

func TestProcessorsFollowTheLag(t *testing.T) {
	var did []string
	p := &processors{all: func() { did = append(did, "all") }, half: func() { did = append(did, "half") }, least: math.Inf(1)}
	seconds := func(s float64) stream.Lag { return stream.Lag{LagSeconds: &s} }
	for _, step := range []struct {
		lag  stream.Lag
		want []string
	}{
		{stream.Lag{}, nil},
		{seconds(3600), nil}, // It begins far behind.
		{seconds(3), nil},
		{seconds(0.5), []string{"all"}},
		{seconds(0), nil},
		{seconds(4.9), nil}, // A hitch.
		{stream.Lag{}, nil},
		{seconds(5.1), []string{"half"}},
		{seconds(1.1), nil},
		{seconds(0.9), []string{"all"}},
	} {
		did = nil
		if p.look(step.lag); !slices.Equal(did, step.want) {
			t.Errorf("lag %v: %v, want %v", step.lag.LagSeconds, did, step.want)
		}
	}
}

// Where half of the processors do not bring the stream nearer, it gets all, until it is near once.
func TestProcessorsThatAreTooFew(t *testing.T) {
	var did []string
	p := &processors{all: func() { did = append(did, "all") }, half: func() { did = append(did, "half") }, least: math.Inf(1)}
	looks := func(n int, lag float64, want ...string) {
		t.Helper()
		did = nil
		for range n {
			p.look(stream.Lag{LagSeconds: &lag})
		}
		if !slices.Equal(did, want) {
			t.Errorf("%d looks at a lag of %g s: %v, want %v", n, lag, did, want)
		}
	}
	looks(stuckAfter, 100)
	looks(1, 99) // It falls.
	looks(stuckAfter-1, 99.5)
	looks(1, 101, "all")
	looks(stuckAfter, 200)
	looks(1, 6)
	looks(1, 0.5)
	looks(1, 6, "half")
	looks(stuckAfter, 6, "all")
}

func TestProcessorsLeaveTheOperatorsNumber(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "3")
	if p := newProcessors(); p != nil || runtime.GOMAXPROCS(0) != before {
		t.Errorf("%d processors behind GOMAXPROCS=3, want %d as they were", runtime.GOMAXPROCS(0), before)
	}
	t.Setenv("GOMAXPROCS", "")
	p := newProcessors()
	all := runtime.NumCPU()
	if got, want := runtime.GOMAXPROCS(0), max(1, all/2); got > want || p == nil {
		t.Fatalf("%d processors far behind on a machine of %d, want at most %d", got, all, want)
	}
	p.all()
	if got := runtime.GOMAXPROCS(0); got < 1 || got > all {
		t.Errorf("%d processors near the source on a machine of %d", got, all)
	}
}
