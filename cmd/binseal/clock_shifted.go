//go:build crashpoints

package main

import (
	"os"
	"time"
)

// clock is the daemon's clock, off by BINSEAL_CLOCK_SHIFT: the tests run a daemon whose machine has the wrong time.
func clock() time.Time {
	return time.Now().Add(clockShift)
}

// clockShift stays 0 when the variable is not set or not a duration.
var clockShift, _ = time.ParseDuration(os.Getenv("BINSEAL_CLOCK_SHIFT"))
