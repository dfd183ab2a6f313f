package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// errSignal is the cause of a stop by SIGTERM or SIGINT.
var errSignal = errors.New("stopped by a signal")

// stopWithin is how long the epoch in flight may take to finish or to roll back. Service managers give 10 s and
// more; one second is left for the process to go.
const stopWithin = 9 * time.Second

// stopOnSignal gives a context that the first SIGTERM or SIGINT cancels, with errSignal as its cause. A second
// signal ends the process at once with code 1. When the stop takes longer than stopWithin the process ends too, with
// code 0: its sockets close, the target rolls back what is open, and the next start goes on from the checkpoint
// (invariants 1 and 2). release ends the watch.
func stopOnSignal(parent context.Context, logger *slog.Logger) (ctx context.Context, release func()) {
	signals := make(chan os.Signal, 2) // The first and the second; a third changes nothing.
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	return watch(parent, logger, signals, os.Exit, func() { signal.Stop(signals) })
}

// watch is stopOnSignal with its surroundings handed in, for tests.
func watch(parent context.Context, logger *slog.Logger, signals <-chan os.Signal, exit func(int), unsubscribe func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case s := <-signals:
			logger.Info("stop requested", "signal", s.String())
			cancel(errSignal)
		case <-done:
			return
		}
		late := time.NewTimer(stopWithin)
		defer late.Stop()
		select {
		case <-signals:
			logger.Warn("stopped at once by a second signal")
			exit(1)
		case <-late.C:
			logger.Warn("stopped before the epoch in flight ended; the target rolls it back", "waited", stopWithin.String())
			exit(0)
		case <-done:
		}
	})
	return ctx, func() {
		unsubscribe()
		close(done)
		wg.Wait()
		cancel(nil)
	}
}
