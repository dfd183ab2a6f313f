package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/evidence"
	"github.com/binseal/binseal/stream"
)

type evidenceCommand struct{}

// Run prints the report; the exit code is 3 when the encryption of a leg or of the disks is not proven.
func (evidenceCommand) Run(a *app) error { return a.withLegs(a.evidence) }

func (a *app) evidence(ctx context.Context, c *config.Config, l legs) error {
	hash, err := c.Hash()
	if err != nil {
		return err
	}
	proof, _, err := atRest(c, l)
	if err != nil {
		return err
	}
	parameters, err := parameterGroup(c)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // A report without one is a report.
	place := &stream.Place{Name: c.Stream, Source: l.source, Target: l.target}
	r := evidence.Make(ctx, evidence.Options{Version: version(), Host: host, Stream: c.Stream, ConfigHash: hash, Source: l.source, Target: l.target, AtRest: proof, ParameterGroup: parameters,
		Position: func(ctx context.Context) (*evidence.Position, error) { return standsAt(ctx, place) },
		Daemon:   func(ctx context.Context) evidence.Daemon { return askDaemon(ctx, c.Stream, c.HTTP.Listen) }})
	if a.json {
		writeJSON(a.stdout, r)
	} else if err := r.WriteText(a.stdout); err != nil {
		return err
	}
	if !r.Complete() {
		return exitCode(change.ClassEnvironment)
	}
	return nil
}

// standsAt is the checkpoint; nil for a stream that has never run.
func standsAt(ctx context.Context, p *stream.Place) (*evidence.Position, error) {
	st, err := p.Look(ctx)
	if err != nil || st.Fresh {
		return nil, err
	}
	cp := st.Checkpoint
	return &evidence.Position{ServerUUID: cp.Source.ServerUUID, GTIDs: cp.GTIDs, Place: placeText(&cp), CommitTime: cp.CommitTime}, nil
}

// askDaemon asks the running daemon for its live connections.
func askDaemon(ctx context.Context, name, listen string) evidence.Daemon {
	d := evidence.Daemon{Asked: listen}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	body, err := ask(ctx, listen)
	if err != nil {
		d.Problem = "no daemon answers"
		return d
	}
	var st stream.Status
	if err := json.Unmarshal(body, &st); err != nil {
		d.Problem = "its answer is not a status"
		return d
	}
	if st.Stream != name {
		d.Problem = "the daemon that answers is of another stream"
		return d
	}
	d.State, d.Connections = string(st.State), st.Live
	return d
}
