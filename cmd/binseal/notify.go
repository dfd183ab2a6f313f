package main

import (
	"context"
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/binseal/binseal/stream"
)

// notifyEvery is how often systemd hears from the daemon; WatchdogSec should be at least three times as long.
const notifyEvery = 5 * time.Second

// notify tells systemd, where it is the service manager, when the stream runs (READY), what it does (STATUS), that it
// is alive (WATCHDOG, also while it is halted: a restart would not help it) and that it stops. It returns when ctx
// ends. Without systemd it does nothing.
func notify(ctx context.Context, d daemonView) {
	ready := false
	tick := time.NewTicker(notifyEvery)
	defer tick.Stop()
	for {
		if ok, _ := d.Ready(); ok && !ready {
			ready = true
			_, _ = systemd.SdNotify(false, systemd.SdNotifyReady)
		}
		_, _ = systemd.SdNotify(false, "STATUS="+statusLine(d.Lag())+"\n"+systemd.SdNotifyWatchdog)
		wait := tick.C
		if !ready {
			wait = time.After(100 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			_, _ = systemd.SdNotify(false, systemd.SdNotifyStopping)
			return
		case <-wait:
		}
	}
}

// daemonView is what notify asks.
type daemonView interface {
	Lag() stream.Lag
	Ready() (bool, string)
}

func statusLine(l stream.Lag) string {
	if l.LagSeconds == nil {
		return string(l.State) + ", lag not known"
	}
	return fmt.Sprintf("%s, lag %.1f s", l.State, *l.LagSeconds)
}
