package stream

import (
	"testing"
	"time"

	"github.com/binseal/binseal/change"
)

func TestAverage(t *testing.T) {
	var a average
	if !a.unstable() {
		t.Error("nothing has been seen")
	}
	for range 100 {
		a.add(50, 0.02)
	}
	if a.mean != 50 || a.variance != 0 || a.unstable() {
		t.Errorf("%+v", a)
	}
	for range 400 {
		a.add(100, 0.02)
	}
	if a.mean < 99 || a.mean > 100 {
		t.Errorf("after many of 100 the mean is %v", a.mean)
	}
}

// Epochs that take longer than the time between two looks count with all of it; time with nothing to do does not.
func TestTheRateOfLongEpochs(t *testing.T) {
	var r rates
	now := time.Unix(1_700_000_000, 0)
	look := func(applied uint64, busy bool) {
		now = now.Add(time.Second)
		r.applied += applied
		r.tick(now, change.Position{}, change.Position{}, busy)
	}
	look(0, true)
	for range 10 {
		look(0, true)
		look(0, true)
		look(3000, true)
	}
	if r.apply.mean != 1000 || r.apply.variance != 0 {
		t.Errorf("3,000 bytes each third second: %+v", r.apply)
	}
	for range 10 {
		look(5, false)
	}
	look(1000, true)
	if r.apply.mean != 1000 {
		t.Errorf("behind idle time: %+v", r.apply)
	}
}
