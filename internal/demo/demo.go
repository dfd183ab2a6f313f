// Package demo shows binseal at work on real servers within two minutes: a source under load, an encrypted
// target, a daemon that is killed in the middle, and a comparison of every table at the end.
//
// It runs the daemon as a child process, exactly as an operator would, and learns of it only through /lag and
// /status. It never claims what it has not looked at: each line of the proof comes from a server or from the
// daemon. cmd/binseal calls Run for the verb demo.
package demo

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// Defaults and limits of a run.
const (
	defaultLoad   = 20 * time.Second
	defaultClient = 4
	drainPatience = 60 * time.Second // Usually a second or two.
	startPatience = 30 * time.Second // From the daemon's start to "streaming".
	outage        = time.Second      // How long the daemon stays dead, so that a backlog builds up.
)

// Options of a run. Binary and Out are required.
type Options struct {
	Binary  string        // The binseal program that is run as the daemon.
	Out     io.Writer     // Where the story is told. On a terminal one line is rewritten in place.
	Dir     string        // Folder for servers, config and logs, which must not exist and is kept; "" takes a temporary one that is removed.
	Load    time.Duration // How long clients write; default 20 s.
	Clients int           // How many of each kind of client; default 4.
	Hold    bool          // Stay up after the proof, until ctx ends.
}

// Run tells the whole story and returns nil when nothing differed. What it started ends with it. When it fails,
// its folder is kept and named.
func Run(ctx context.Context, o Options) (err error) {
	if o.Load <= 0 {
		o.Load = defaultLoad
	}
	if o.Clients <= 0 {
		o.Clients = defaultClient
	}
	d := &demo{options: o, out: newConsole(o.Out)}
	if err := d.makeDir(); err != nil {
		return fault(change.ClassEnvironment, "no folder for the demo", "name a writable folder with TMPDIR", err)
	}
	defer func() {
		d.stop()
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			d.out.say("kept for a look: %s (daemon.log, source/error.log, target/error.log)", d.dir)
		case o.Dir == "":
			_ = os.RemoveAll(d.dir) // Best effort: it is a temporary folder.
		}
	}()
	return d.tell(ctx)
}

// demo is one run.
type demo struct {
	options        Options
	out            *console
	dir            string
	source, target *testmysql.Server
	daemon         *daemon
	load           *load
	kills          int
	caughtUpIn     time.Duration // From the end of the load to the last row on the target.
}

func (d *demo) makeDir() error {
	if d.dir = d.options.Dir; d.dir != "" {
		return os.Mkdir(d.dir, 0o700)
	}
	var err error
	d.dir, err = os.MkdirTemp("", "binseal-demo-")
	return err
}

// tell runs the chapters in order.
func (d *demo) tell(ctx context.Context) error {
	began := time.Now()
	if err := d.startServers(ctx); err != nil {
		return fault(change.ClassEnvironment, "the demo needs two MySQL servers", "see the cause for a way to get one", err)
	}
	config, err := d.writeConfig(ctx)
	if err != nil {
		return fault(change.ClassRuntime, "the demo's accounts and config", "", err)
	}
	d.daemon = newDaemon(d.options.Binary, config, filepath.Join(d.dir, "daemon.log"))
	if err := d.startDaemon(ctx); err != nil {
		return err
	}
	if err := d.runLoad(ctx); err != nil {
		return err
	}
	if err := d.drain(ctx); err != nil {
		return err
	}
	if err := d.prove(ctx, began); err != nil {
		return err
	}
	if d.options.Hold {
		return d.hold(ctx)
	}
	return nil
}

func (d *demo) startServers(ctx context.Context) error {
	d.out.say("servers: looking for MySQL (the first time it is downloaded, about 60 MB)")
	if _, err := testmysql.Fetch(ctx); err != nil {
		return err
	}
	source, target := testmysql.SourceOptions(), testmysql.TargetOptions()
	source.Dir, target.Dir = filepath.Join(d.dir, "source"), filepath.Join(d.dir, "target")
	var err error
	if d.source, err = testmysql.Start(ctx, source); err != nil {
		return err
	}
	if d.target, err = testmysql.Start(ctx, target); err != nil {
		return err
	}
	d.out.say("source:  MySQL %s at %s: GTIDs, row format, encrypted binary log, own CA", d.source.Version, d.source.Addr)
	d.out.say("target:  MySQL %s at %s: refuses plaintext, encrypted at rest, own CA", d.target.Version, d.target.Addr)
	return nil
}

// startDaemon starts the daemon and waits until it streams.
func (d *demo) startDaemon(ctx context.Context) error {
	if err := d.daemon.start(); err != nil {
		return fault(change.ClassRuntime, "the daemon does not start", "", err)
	}
	if err := d.daemon.waitStreaming(ctx, startPatience); err != nil {
		return fault(change.ClassRuntime, "the daemon does not stream", "read daemon.log", err)
	}
	return nil
}

// runLoad writes to the source, kills the daemon a third of the way and starts it again while writes go on.
func (d *demo) runLoad(ctx context.Context) error {
	d.load = newLoad(d.source, d.options.Clients)
	if err := d.load.prepare(ctx); err != nil {
		return fault(change.ClassRuntime, "tables for the load", "", err)
	}
	d.out.say("load:    %d clients for %s: inserts, updates, deletes, transfers, a keyless table, unique-value swaps, DDL",
		d.load.clients(), d.options.Load)
	loadCtx, endLoad := context.WithTimeout(ctx, d.options.Load)
	defer endLoad()
	ended := make(chan error, 1)
	go func() { ended <- d.load.run(ctx, loadCtx) }()

	story := d.watch(loadCtx)
	if story != nil {
		endLoad()
	}
	if err := <-ended; err != nil && story == nil {
		return fault(change.ClassRuntime, "the load on the source", "", err)
	}
	return story
}

// watch shows the live line while the load runs, kills the daemon once and revives it.
func (d *demo) watch(ctx context.Context) error {
	began := time.Now()
	meter := d.newMeter()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil // The load's time is over.
			}
			return ctx.Err()
		case <-tick.C:
		}
		if d.daemon.ended() {
			return fault(change.ClassRuntime, "the daemon ended by itself", "read daemon.log", nil)
		}
		d.out.live(meter.line(ctx))
		if d.kills == 0 && time.Since(began) > d.options.Load/3 {
			if err := d.killOnce(ctx); err != nil {
				return err
			}
		}
	}
}

// killOnce ends the daemon without warning and starts it again after a while of missed writes.
func (d *demo) killOnce(ctx context.Context) error {
	pid := d.daemon.kill()
	d.kills++
	d.out.say("kill:    SIGKILL to the daemon (pid %d) under load", pid)
	select {
	case <-ctx.Done():
	case <-time.After(outage):
	}
	began := time.Now()
	if err := d.startDaemon(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	d.out.say("resumed: pid %d streams again after %s, from the record in the target", d.daemon.pid(), round(time.Since(began)))
	return nil
}

// drain waits until the daemon says that the target has everything, and holds it against the source's own end.
func (d *demo) drain(ctx context.Context) error {
	began := time.Now()
	end, err := d.sourceEnd(ctx)
	if err != nil {
		return fault(change.ClassRuntime, "ask the source for its end", "", err)
	}
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	meter := d.newMeter()
	for {
		lag, err := d.daemon.lag(ctx)
		if err == nil && lag.CaughtUp {
			if applied, err := change.ParseGTIDSet(lag.Applied.GTID); err == nil && applied.Contains(end) {
				d.caughtUpIn = time.Since(began)
				d.out.say("drained: caught up %s after the last write", round(d.caughtUpIn))
				return nil
			}
		}
		d.out.live(meter.line(ctx))
		select {
		case <-ctx.Done():
			return fault(change.ClassRuntime, "the daemon did not catch up with the source", "read daemon.log", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sourceEnd is what the source has executed.
func (d *demo) sourceEnd(ctx context.Context) (change.GTIDSet, error) {
	rows, err := d.source.Query(ctx, "SELECT @@GLOBAL.gtid_executed")
	if err != nil {
		return change.GTIDSet{}, err
	}
	return change.ParseGTIDSet(rows[0][0])
}

// hold keeps everything up for a look until ctx ends.
func (d *demo) hold(ctx context.Context) error {
	d.out.say("")
	d.out.say("held:    %[1]s/lag  %[1]s/status  %[1]s/metrics", d.daemon.url)
	d.out.say("source:  mysql -uroot -S %s", d.source.Socket)
	d.out.say("target:  mysql -uroot -S %s", d.target.Socket)
	d.out.say("end it with Ctrl-C")
	<-ctx.Done()
	return nil
}

// stop ends what runs, the daemon first and politely.
func (d *demo) stop() {
	if d.daemon != nil {
		d.daemon.stop()
	}
	if d.load != nil {
		d.load.close()
	}
	for _, s := range []*testmysql.Server{d.source, d.target} {
		if s != nil {
			_ = s.Abandon() // Run removes the folder when all went well.
		}
	}
}

// fault makes an error for the operator.
func fault(class change.Class, what, next string, err error) error {
	if f := change.FaultOf(err); f != nil {
		return err
	}
	return &change.Fault{Code: "BS-DEMO", Class: class, What: what, Next: next, Err: err}
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
