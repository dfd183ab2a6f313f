package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/binseal/binseal/mysqlconn"
)

// onHangup calls reload for each SIGHUP, once all files and secrets that both legs name can be used: with one that cannot,
// the connections stay as they are. release ends the watch.
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
				if err := ready(e); err != nil {
					usable = false
					logger.Error("not connecting anew: a file or secret cannot be used", "leg", e.Leg, "error", err)
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

// readyPatience bounds the questions for a password.
const readyPatience = 20 * time.Second

// ready reads all that a dial of an endpoint would.
func ready(e *mysqlconn.Endpoint) error {
	if _, err := e.TLS.For(e.Addr, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyPatience)
	defer cancel()
	_, err := e.Password(ctx)
	return err
}
