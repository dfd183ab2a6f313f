package main

import (
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/binseal/binseal/mysqlconn"
)

// onHangup calls reload for each SIGHUP, once all files that both legs name can be used: with one that cannot, the
// connections stay as they are. release ends the watch.
func onHangup(logger *slog.Logger, l legs, reload func()) (release func()) {
	signals := make(chan os.Signal, 1) // Further ones while one is served say the same.
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			usable := true
			for _, e := range []*mysqlconn.Endpoint{l.source, l.target} {
				if _, err := e.TLS.For(e.Addr, nil); err != nil {
					usable = false
					logger.Error("not connecting anew: a tls file cannot be used", "leg", e.Leg, "error", err)
				}
			}
			if usable {
				reload()
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
	}
}
