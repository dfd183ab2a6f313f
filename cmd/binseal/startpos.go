package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/binseal/binseal/awscloud"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/startpos"
	"github.com/binseal/binseal/stream"
)

// fromText are the arguments that all position from-… have.
type fromText struct {
	File    string `arg:"" optional:"" placeholder:"FILE|-" help:"The file; - for stdin."`
	Offline bool   `help:"Do not ask the source whether it still has the position."`
}

type fromRDSEvent struct {
	fromText `embed:""`
	Instance string `placeholder:"ID" help:"Ask AWS for the events of this instance, the new cluster's writer, instead of reading a file."`
}
type fromXtraBackup struct {
	fromText `embed:""`
}
type fromMyDumper struct {
	fromText `embed:""`
}
type fromMySQLDump struct {
	fromText  `embed:""`
	Quiescent bool `help:"The server took no writes while it was dumped: take a GTID set that was read without a lock."`
}
type fromMySQLSh struct {
	fromText `embed:""`
}
type fromShowStatus struct {
	fromText `embed:""`
}

// Run reads the text of events, or asks AWS for them.
func (f fromRDSEvent) Run(a *app) error {
	if f.Instance == "" {
		return f.read(a, startpos.RDSEvent)
	}
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	host, _ := awscloud.ParseHost(c.Target.Addr)
	ctx := context.Background()
	cloud, err := awscloud.Open(ctx, host.Region)
	if err != nil {
		return err
	}
	events, err := cloud.Events(ctx, f.Instance)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, e := range events {
		fmt.Fprintln(&text, e.Text)
	}
	found, err := startpos.RDSEvent(text.String())
	if err != nil {
		return placed("events of "+f.Instance, err)
	}
	return f.print(a, found)
}

// Run reads xtrabackup_binlog_info.
func (f fromXtraBackup) Run(a *app) error { return f.read(a, startpos.XtraBackup) }

// Run reads mydumper's metadata.
func (f fromMyDumper) Run(a *app) error { return f.read(a, startpos.MyDumper) }

// Run reads a dump's head, not the whole dump.
func (f fromMySQLDump) Run(a *app) error {
	return f.open(func(r io.Reader) error {
		found, err := startpos.MySQLDump(r, f.Quiescent)
		if err != nil {
			return placed(f.File, err)
		}
		return f.print(a, found)
	})
}

// Run reads @.json, and looks for @.done.json beside it; of a text on stdin that cannot be known.
func (f fromMySQLSh) Run(a *app) error {
	_, err := os.Stat(filepath.Join(filepath.Dir(f.File), "@.done.json"))
	return f.read(a, func(text string) (startpos.Found, error) {
		return startpos.MySQLShell(text, f.File != "-" && err == nil)
	})
}

// Run reads a pasted status.
func (f fromShowStatus) Run(a *app) error { return f.read(a, startpos.ShowStatus) }

// open hands over the file or stdin.
func (f fromText) open(do func(io.Reader) error) error {
	switch f.File {
	case "":
		return &change.Fault{Code: "BS-USAGE", Class: change.ClassConfig, What: "no file", Next: "name the file, or - for a text on stdin"}
	case "-":
		return do(os.Stdin)
	}
	file, err := os.Open(f.File)
	if err != nil {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = e.Err // Where has the path already.
		}
		return &change.Fault{Code: "BS-START-UNREADABLE", Class: change.ClassConfig, Where: f.File, What: "the file cannot be read", Err: err, Next: "check the path, or give the text on stdin (-)"}
	}
	defer file.Close()
	return do(file)
}

// read reads a whole text and prints what parse finds in it.
func (f fromText) read(a *app, parse func(string) (startpos.Found, error)) error {
	return f.open(func(r io.Reader) error {
		text, err := startpos.Text(r)
		if err != nil {
			return placed(f.File, err)
		}
		found, err := parse(text)
		if err != nil {
			return placed(f.File, err)
		}
		return f.print(a, found)
	})
}

// placed names the file in a fault.
func placed(where string, err error) error {
	f := change.FaultOf(err)
	if f == nil || f.Where != "" {
		return err
	}
	at := *f
	at.Where = where
	return &at
}

// startAnswer is what --json prints.
type startAnswer struct {
	OK      bool           `json:"ok"`
	Start   map[string]any `json:"start"`   // For the config.
	Checked bool           `json:"checked"` // Whether the source was asked, and has it.
	Found   startpos.Found `json:"found"`
}

// print asks the source for the position and prints the block for the config.
func (f fromText) print(a *app, found startpos.Found) error {
	start := stream.Start{GTID: found.GTID}
	if found.GTID == "" {
		start.Pos = found.Pos
	}
	if !f.Offline {
		err := a.withLegs(func(ctx context.Context, _ *config.Config, l legs) (err error) {
			start, err = stream.CheckStart(ctx, l.source, stream.Candidate{GTID: found.GTID, Pos: found.Pos, ServerUUID: found.ServerUUID})
			return err
		})
		if err != nil {
			return err
		}
	}
	answer := startAnswer{OK: true, Checked: !f.Offline, Found: found, Start: map[string]any{"gtid": start.GTID}}
	block := fmt.Sprintf("start: {gtid: %q}", start.GTID)
	if start.GTID == "" {
		answer.Start = map[string]any{"file": start.Pos.File, "pos": start.Pos.Pos}
		block = fmt.Sprintf("start: {file: %q, pos: %d}", start.Pos.File, start.Pos.Pos)
	}
	if a.json {
		writeJSON(a.stdout, answer)
		return nil
	}
	var b strings.Builder // As comments, so that the whole can be appended to a config.
	fmt.Fprintf(&b, "# from %s\n", found.From)
	if f.Offline {
		b.WriteString("# not checked against the source\n")
	} else {
		b.WriteString("# the source has it: nothing behind it is purged, and a transaction begins there\n")
	}
	for _, n := range found.Notes {
		fmt.Fprintf(&b, "# %s\n", n)
	}
	_, err := fmt.Fprintf(a.stdout, "%s%s\n", b.String(), block)
	return err
}
