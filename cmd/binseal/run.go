package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/binseal/binseal/applier"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/httpapi"
	"github.com/binseal/binseal/stream"
)

const (
	// memoryLimit keeps the daemon below 512 MiB of RSS (invariant 7): Go's heap is the greater part, and the rest
	// is stacks, the binary's pages and what the collector has not given back yet.
	memoryLimit = 320 << 20 // Bytes.
	// gcPercent: the live heap is small except for epochs, so the collector may wait; near memoryLimit it does not.
	gcPercent = 200
)

type runCommand struct {
	LogLevel   slog.Level `name:"log-level" default:"info" help:"debug, info, warn or error."`
	ExitOnHalt bool       `name:"exit-on-halt" help:"Leave with code 4 when the stream halts, instead of staying up for /status."`
}

// daemon is a stream as run drives it.
type daemon interface {
	httpapi.View
	Run(ctx context.Context) error
}

// Run is the daemon: it streams until a signal or a halt with --exit-on-halt.
func (r runCommand) Run(a *app) error {
	bound()
	logger := slog.New(logHandler(a.stderr, r.LogLevel, a.json))
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	hash, err := c.Hash()
	if err != nil {
		return err
	}
	l, err := connectable(c)
	if err != nil {
		return err
	}
	proof, _, err := atRest(c, l)
	if err != nil {
		return err
	}
	ctx, release := stopOnSignal(context.Background(), logger)
	defer release()
	listener, err := httpapi.Listen(ctx, c.HTTP)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s, err := stream.New(stream.Options{
		Name: c.Stream, Source: l.source, Target: l.target, ServerID: c.Source.ServerID, Start: startOf(c.Start),
		Filter: l.filter, Routes: l.routes, Rules: l.rules, Mode: applier.Mode(c.Apply.Mode), Sessions: c.Apply.Sessions, EpochRows: c.Apply.EpochRows, ConfigHash: hash, AllowUnencrypted: c.Target.AtRest.Require == config.AtRestSkip, AtRest: proof, ExitOnHalt: r.ExitOnHalt,
		Registerer: registry, Logger: logger, Version: version(), Now: clock,
	})
	if err != nil {
		listener.Close()
		return err
	}
	defer onHangup(logger, l, s.Reload)()
	return serve(ctx, s, listener, registry, logger)
}

// startOf hands over where a stream without a checkpoint begins; the zero value is the source's end.
func startOf(s config.Start) stream.Start {
	return stream.Start{GTID: s.GTID, Pos: change.Position{File: s.File, Pos: s.Pos}}
}

// serve runs the stream with its listener beside it. The listener outlives the stream's context, so that /status
// tells what a stop waits for, and ends with the stream.
func serve(ctx context.Context, d daemon, listener *httpapi.Server, gatherer prometheus.Gatherer, logger *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	var wg sync.WaitGroup
	var listenErr error // Written before wg.Wait returns, read after.
	wg.Go(func() {
		if listenErr = listener.Run(listening, d, gatherer, logger); listenErr != nil {
			cancel(listenErr) // A daemon that nobody can ask for its lag is not left running.
		}
	})
	wg.Go(func() { notify(ctx, d) })
	wg.Go(func() { newProcessors().follow(ctx, d) })
	err := d.Run(ctx)
	cancel(nil) // Ends notify; a signal's cause, if there was one, stays.
	stopListening()
	wg.Wait()
	if listenErr != nil && change.FaultOf(err) == nil {
		return listenErr
	}
	return outcome(ctx, err, d.Status())
}

// outcome decides how the daemon ends. A stop that was asked for is success, except for a halted stream: its halt
// is still unanswered, and the exit code must say so (DESIGN.md §3).
func outcome(ctx context.Context, err error, status stream.Status) error {
	if change.FaultOf(err) != nil {
		return err
	}
	if p := status.Problem; p != nil && status.State == stream.StateHalted {
		return &change.Fault{Code: p.Code, Class: change.ClassPerson, What: p.What, Where: p.Where, Next: p.Next}
	}
	if errors.Is(context.Cause(ctx), errSignal) && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errSignal)) {
		return nil
	}
	return err
}

// bound sets the collector's limits unless the operator's environment does.
func bound() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// logHandler is JSON, and text where a person watches.
func logHandler(w io.Writer, level slog.Level, asJSON bool) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if f, ok := w.(*os.File); ok && !asJSON {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.NewTextHandler(w, options)
		}
	}
	return slog.NewJSONHandler(w, options)
}
