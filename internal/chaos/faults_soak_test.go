//go:build soak

package chaos

import (
	"testing"
	"time"
)

// TestSoakStorm breaks both legs at random for longer, in rounds; each ends with both sides compared.
func TestSoakStorm(t *testing.T) {
	s := seed(t)
	for _, mode := range []string{"strict", "split", "auto"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			x := startExperiment(t, mode, s, 6)
			for range 10 {
				x.endure(t, fault{hurt: func(t *testing.T, x *experiment) { storm(t, x, 20*time.Second) }})
			}
			x.daemon.Stop(t)
		})
	}
}

// TestSoakIdleLag is an idle minute: 0 and caught up at every look.
func TestSoakIdleLag(t *testing.T) {
	r := begin(t, "auto", seed(t))
	d := r.Start(t, Normal)
	awaitZero(t, d)
	idle(t, d, time.Minute)
	d.Stop(t)
}
