// Command run measures binseal beside native replication and writes the results; the Makefile's bench targets call it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/binseal/binseal/bench"
	"github.com/binseal/binseal/internal/testmysql"
)

// options are the command line.
type options struct {
	Experiment  string   `arg:"" optional:"" enum:"catch-up,steady,distance,scaling" default:"catch-up" help:"catch-up (default), steady, distance or scaling."`
	Workloads   []string `help:"Workloads to run; all by default, oltp in distance and scaling." placeholder:"NAME"`
	Contenders  []string `help:"Contenders to run, by name; all by default." placeholder:"NAME"`
	Rounds      int      `help:"Rounds of which the median counts." default:"3"`
	Size        float64  `help:"Share of the full size." default:"1"`
	Seed        uint64   `help:"Seed of the data." default:"1"`
	Rates       []int    `help:"Of steady: transactions per second." default:"1000,2000,5000"`
	Seconds     int      `help:"Of steady: how long each run is measured." default:"30"`
	NoTargetLog bool     `help:"The target writes no binary log, as Aurora unless it is asked to; the results' names end in -nolog."`
	Quick       bool     `help:"A twentieth of the size, one round, native replication at 4 workers only; under 5 minutes."`
	Profile     string   `help:"Write a CPU profile of the daemon's last run to a file." placeholder:"FILE"`
	Binary      string   `help:"The daemon; built by default." type:"existingfile"`
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
	p, err := o.plan()
	if err != nil {
		return err
	}
	p.Machine = bench.Here(server.Version)
	switch o.Experiment {
	case "steady":
		p.SourceOptions = []string{bench.LogWriters}
		runs, err := bench.RunSteady(ctx, bench.SteadyPlan{Plan: p, Rates: o.Rates, For: time.Duration(o.Seconds) * time.Second, Binary: o.Binary, Only: o.Contenders,
			RTT: []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}})
		if err != nil {
			return err
		}
		return bench.ReportSteady(o.Results, p, runs)
	case "distance":
		return catchUp(ctx, o.Results, bench.DistancePlans(p, o.Binary)...)
	case "scaling":
		return catchUp(ctx, o.Results, bench.ScalingPlans(p, o.Binary)...)
	}
	return catchUp(ctx, o.Results, p)
}

// build makes the daemon as a release would, or one that can be profiled.
func build(ctx context.Context, dir string, profile bool) (string, error) {
	binary, tags := filepath.Join(dir, "binseal"), ""
	if profile {
		tags = "profile"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tags, "-o", binary, "github.com/binseal/binseal/cmd/binseal")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the daemon: %w: %s", err, out)
	}
	return binary, nil
}

func catchUp(ctx context.Context, results string, plans ...bench.Plan) error {
	for _, p := range plans {
		runs, err := bench.CatchUp(ctx, p)
		if err != nil {
			return err
		}
		if err := bench.Report(results, p, runs); err != nil {
			return err
		}
	}
	return nil
}

// plan picks what the options ask for.
func (o options) plan() (bench.Plan, error) {
	p := bench.Plan{Name: o.Experiment, Rounds: o.Rounds, Size: bench.Size(o.Size), Seed: o.Seed, Out: os.Stdout, NoTargetLog: o.NoTargetLog}
	if o.NoTargetLog {
		p.Name += "-nolog"
	}
	natives := []bench.Contender{bench.Native(1, true), bench.Native(4, true), bench.Native(8, true), bench.Native(16, true), bench.Native(4, false), bench.Native(16, false)}
	if o.Quick {
		p.Rounds, p.Size, natives = 1, p.Size/20, []bench.Contender{bench.Native(4, true)}
	}
	contenders := append(natives, bench.Pipe(),
		bench.Binseal(bench.StrictMode, o.Binary, bench.DaemonOptions{Mode: "strict", Profile: o.Profile}),
		bench.Binseal(bench.Split, o.Binary, bench.DaemonOptions{Mode: "split", Profile: o.Profile}))
	for _, c := range contenders {
		if len(o.Contenders) == 0 || o.Experiment == "steady" || slices.Contains(o.Contenders, c.Name) { // Steady has its own.
			p.Contenders = append(p.Contenders, c)
		}
	}
	wanted := o.Workloads
	if len(wanted) == 0 && o.Experiment != "catch-up" {
		wanted = []string{"oltp"}
	}
	for _, w := range bench.Workloads() {
		if slices.Contains(wanted, w.Name) || len(wanted) == 0 && !(o.Quick && w.Heavy) {
			p.Workloads = append(p.Workloads, w)
		}
	}
	if len(p.Contenders) == 0 || len(p.Workloads) == 0 {
		return p, fmt.Errorf("nothing to run: --workloads and --contenders take names such as oltp and %q", bench.Split)
	}
	return p, nil
}
