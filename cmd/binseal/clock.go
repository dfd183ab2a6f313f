//go:build !crashpoints

package main

import "time"

// clock is the daemon's clock.
var clock = time.Now
