// Command run measures binseal beside native replication and writes the results; the Makefile's bench targets call it.
package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/binseal/binseal/bench"
	"github.com/binseal/binseal/internal/testmysql"
)

// options are the command line.
type options struct {
	Experiment  string   `arg:"" optional:"" enum:"catch-up,steady,distance,scaling" default:"catch-up" help:"catch-up (default), steady, distance or scaling."`
	Workloads   []string `help:"Workloads to run; all by default, oltp in distance and scaling." placeholder:"NAME"`
	Contenders  []string `help:"Contenders to run, by name (a comma in one as \\,); all by default." placeholder:"NAME"`
	Rounds      int      `help:"Rounds of which the median counts." default:"3"`
	Size        float64  `help:"Share of the full size." default:"1"`
	Seed        uint64   `help:"Seed of the data." default:"1"`
	Rates       []int    `help:"Of steady: transactions per second." default:"1000,2000,5000"`
	Seconds     int      `help:"Of steady: how long each run is measured." default:"30"`
	NoTargetLog bool     `help:"The target writes no binary log, as Aurora unless it is asked to; the results' names end in -nolog."`
	Quick       bool     `help:"A twentieth of the size, one round, of native replication 16 workers in any order only (its best most often), without oltp-uniform; some minutes."`
	Profile     string   `help:"Of catch-up: write a CPU profile of the daemon's last run to a file." placeholder:"FILE"`
	Binary      string   `help:"The daemon; built by default." type:"existingfile"`
	Before      string   `help:"Of catch-up: another build of the daemon, measured in turn with it: what a change is worth." type:"existingfile"`
	Results     string   `help:"Folder of the results." default:"bench/results"`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("bench"), kong.Description("Measures binseal beside native replication, on real servers."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := o.fits(); err != nil {
		return err
	}
	if o.Binary == "" {
		dir, err := os.MkdirTemp("", "binseal-bench-build-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.Binary, err = build(ctx, dir, o.Profile != ""); err != nil {
			return err
		}
	}
	server, err := testmysql.Fetch(ctx)
	if err != nil {
		return err
	}
	p := o.plan()
	p.Machine = bench.Here(server.Version)
	p.Machine.Command = append([]string{"bench"}, os.Args[1:]...)
	if p.Machine.Daemon, err = buildOf(o.Binary); err != nil {
		return err
	}
	if o.Before != "" {
		other, err := buildOf(o.Before)
		if err != nil {
			return err
		}
		p.Machine.Daemon += ", before: " + other
	}
	p.LogWriters = o.Experiment == "steady"
	if p.Settings, err = bench.ServerSettings(ctx, p); err != nil {
		return err
	}
	switch o.Experiment {
	case "steady":
		runs, err := bench.RunSteady(ctx, bench.SteadyPlan{Plan: p, Rates: o.Rates, For: time.Duration(o.Seconds) * time.Second, Binary: o.Binary, Only: o.Contenders})
		if p.EndedEarly = err; len(runs) > 0 {
			err = errors.Join(err, bench.ReportSteady(o.Results, p, runs))
		}
		return err
	case "distance":
		return catchUp(ctx, o.Results, o.chosen(bench.DistancePlans(p, o.Binary))...)
	case "scaling":
		return catchUp(ctx, o.Results, o.chosen(bench.ScalingPlans(p, o.Binary))...)
	}
	return catchUp(ctx, o.Results, o.chosen([]bench.Plan{p})...)
}

// chosen are the plans with the contenders that were asked for; one without any of them is left out.
func (o options) chosen(plans []bench.Plan) (some []bench.Plan) {
	if len(o.Contenders) == 0 {
		return plans
	}
	for _, p := range plans {
		p.Contenders = slices.DeleteFunc(p.Contenders, func(c bench.Contender) bool { return !slices.Contains(o.Contenders, c.Name) })
		if len(p.Contenders) > 0 {
			some = append(some, p)
		}
	}
	return some
}

// build makes the daemon as a release would, or one that can be profiled.
func build(ctx context.Context, dir string, profile bool) (string, error) {
	binary, tags := filepath.Join(dir, "binseal"), ""
	if profile {
		tags = "profile"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=auto", "-tags", tags, "-o", binary, "github.com/binseal/binseal/cmd/binseal")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the daemon: %w: %s", err, out)
	}
	return binary, nil
}

func catchUp(ctx context.Context, results string, plans ...bench.Plan) error {
	for _, p := range plans {
		runs, err := bench.CatchUp(ctx, p)
		if p.EndedEarly = err; len(runs) > 0 {
			err = errors.Join(err, bench.Report(results, p, runs))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// contenders are those of catch-up.
func (o options) contenders() []bench.Contender {
	natives := []bench.Contender{bench.Native(1, true), bench.Native(4, true), bench.Native(8, true), bench.Native(16, true), bench.Native(4, false), bench.Native(8, false), bench.Native(16, false)}
	if o.Quick {
		natives = natives[6:]
	}
	all := append(natives, bench.Pipe(),
		bench.Binseal(bench.StrictMode, o.Binary, bench.DaemonOptions{Mode: "strict", Profile: o.Profile}),
		bench.Binseal(bench.Split, o.Binary, bench.DaemonOptions{Mode: "split", Profile: o.Profile}))
	if o.Before != "" {
		all = append(all, bench.Binseal(bench.StrictMode+before, o.Before, bench.DaemonOptions{Mode: "strict"}),
			bench.Binseal(bench.Split+before, o.Before, bench.DaemonOptions{Mode: "split"}))
	}
	return all
}

// before ends the names of the contenders that run the build of --before.
const before = " before"

// plan picks what the options ask for.
func (o options) plan() bench.Plan {
	p := bench.Plan{Name: o.Experiment, Rounds: o.Rounds, Size: bench.Size(o.Size), Seed: o.Seed, Out: os.Stdout, NoTargetLog: o.NoTargetLog}
	if o.NoTargetLog {
		p.Name += bench.NoLog
	}
	if o.Quick {
		p.Rounds, p.Size = 1, p.Size/20
	}
	p.Contenders = o.contenders()
	wanted := o.Workloads
	if len(wanted) == 0 && o.Experiment != "catch-up" {
		wanted = []string{"oltp"}
	}
	for _, w := range bench.Workloads() {
		if slices.Contains(wanted, w.Name) || len(wanted) == 0 && !(o.Quick && w.Heavy) {
			p.Workloads = append(p.Workloads, w)
		}
	}
	return p
}

// fits refuses options that the experiment does not have, and unknown names: to be ignored would make another
// measurement than was asked for.
func (o options) fits() error {
	for option, given := range map[string]bool{
		"--workloads": len(o.Workloads) > 0 && o.Experiment == "steady",
		"--before":    o.Before != "" && o.Experiment != "catch-up",
		"--profile":   o.Profile != "" && o.Experiment != "catch-up",
		"--quick":     o.Quick && o.Experiment == "steady",
	} {
		if given {
			return fmt.Errorf("%s has no %s", o.Experiment, option)
		}
	}
	var workloads []string
	for _, w := range bench.Workloads() {
		workloads = append(workloads, w.Name)
	}
	return errors.Join(known("--contenders", o.Contenders, o.names()), known("--workloads", o.Workloads, workloads))
}

// names are those of all contenders of the experiment.
func (o options) names() (all []string) {
	p := o.plan()
	plans := []bench.Plan{p}
	switch o.Experiment {
	case "steady":
		return bench.Followers(p)
	case "distance":
		plans = bench.DistancePlans(p, o.Binary)
	case "scaling":
		plans = bench.ScalingPlans(p, o.Binary)
	}
	for _, q := range plans {
		for _, c := range q.Contenders {
			if !slices.Contains(all, c.Name) {
				all = append(all, c.Name)
			}
		}
	}
	return all
}

// known refuses names of an option that mean nothing.
func known(option string, given, names []string) error {
	for _, name := range given {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s: there is no %q; it takes %s", option, name, strings.Join(names, "; "))
		}
	}
	return nil
}

// buildOf is the commit that a daemon was built from, as the Go tool has written it into the binary.
func buildOf(binary string) (string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", err
	}
	text := "a daemon of an unknown commit"
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			text = "the daemon of " + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			text += " and changes on top"
		}
	}
	return text, nil
}
