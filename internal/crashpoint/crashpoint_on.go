//go:build crashpoints

// Package crashpoint names the places of the commit protocol at which the kill tests end or hold the process.
package crashpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// trap fires when a point has been reached as often as asked: name, or name:count.
type trap struct {
	name      string
	remaining atomic.Int64
}

func (t *trap) set(spec string) {
	name, count, _ := strings.Cut(spec, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		n = 1
	}
	t.name = name
	t.remaining.Store(n)
}

func (t *trap) fires(name string) bool { return name == t.name && t.remaining.Add(-1) == 0 }

var crash, pause trap

// held is the file that Reach creates while it holds the process; it goes on when the file is gone.
var held = os.Getenv("BINSEAL_PAUSE_FILE")

func init() {
	crash.set(os.Getenv("BINSEAL_CRASH_AT"))
	pause.set(os.Getenv("BINSEAL_PAUSE_AT"))
}

// Reach kills the process with SIGKILL at the point that BINSEAL_CRASH_AT names, and holds the calling goroutine at
// the one that BINSEAL_PAUSE_AT names until BINSEAL_PAUSE_FILE has been removed again.
func Reach(name string) {
	if pause.fires(name) {
		_ = os.WriteFile(held, nil, 0o600)
		for {
			if _, err := os.Stat(held); err != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if crash.fires(name) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // The signal is on its way; nothing more may be sent.
	}
}
