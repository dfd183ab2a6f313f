package main

import (
	"context"
	"io"
	"os"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/preflight"
)

type checkCommand struct{}

// Run looks at both servers and prints the report; the exit code is 3 when a finding is a must.
func (checkCommand) Run(a *app) error { return a.withLegs(a.check) }

func (a *app) check(ctx context.Context, c *config.Config, l legs) error {
	proof, ofAWS, err := atRest(c, l)
	if err != nil {
		return err
	}
	var found *change.AtRest
	if ofAWS || c.Target.AtRest.Require != config.AtRestAny && c.Target.AtRest.Require != config.AtRestSkip {
		a := proof(ctx)
		found = &a
	}
	report, err := preflight.Run(ctx, preflight.Options{
		Source: l.source, Target: l.target, Filter: l.filter, Routes: l.routes, ServerID: c.Source.ServerID,
		ByGTID: c.Start.GTID != "", FromPast: c.Start.At == "",
		AtRest: found, SkipAtRest: c.Target.AtRest.Require == config.AtRestSkip,
	})
	if err != nil {
		return err
	}
	if a.json {
		writeJSON(a.stdout, report)
	} else if err := report.WriteText(a.stdout, colourOf(a.stdout)); err != nil {
		return err
	}
	if !report.OK {
		return exitCode(change.ClassEnvironment)
	}
	return nil
}

// colourOf is coloured for a terminal, unless the environment asks for none (no-color.org).
func colourOf(w io.Writer) preflight.Colour {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return preflight.Plain
	}
	info, err := f.Stat()
	return preflight.Colour(err == nil && info.Mode()&os.ModeCharDevice != 0)
}
