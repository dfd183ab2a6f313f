package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/stream"
)

// positionCommand looks at the checkpoint of a stream and moves it. All but show want the daemon stopped, or halted.
type positionCommand struct {
	Show   positionShow   `cmd:"" default:"1" help:"Show where the stream stands, from its record in the target."`
	Skip   positionSkip   `cmd:"" help:"Take one transaction for applied, so that the stream goes on behind it: do its work on the target first."`
	Set    positionSet    `cmd:"" help:"Go on at another position of the same source, or of any after the target was loaded again."`
	Settle positionSettle `cmd:"" help:"After BS-DDL-DOUBT: say whether the statement that was about to run has run."`

	FromRDSEvent   fromRDSEvent   `cmd:"" name:"from-rds-event" help:"Print the start of a stream into a restored or cloned cluster, from an event of RDS."`
	FromXtraBackup fromXtraBackup `cmd:"" name:"from-xtrabackup" help:"The same from xtrabackup_binlog_info."`
	FromMyDumper   fromMyDumper   `cmd:"" name:"from-mydumper" help:"From mydumper's file metadata."`
	FromMySQLDump  fromMySQLDump  `cmd:"" name:"from-mysqldump" help:"From the head of a dump of mysqldump."`
	FromMySQLSh    fromMySQLSh    `cmd:"" name:"from-mysqlsh" help:"From @.json of MySQL Shell's dump."`
	FromShowStatus fromShowStatus `cmd:"" name:"from-show-status" help:"From what SHOW BINARY LOG STATUS, SHOW MASTER STATUS or SHOW REPLICA STATUS has printed."`
}

type positionShow struct{}

type positionSkip struct {
	GTID string `name:"gtid" xor:"what" required:"" placeholder:"UUID:N|D-S-N" help:"The transaction, as the halt names it."`
	At   string `name:"at" xor:"what" required:"" placeholder:"FILE:POS" help:"A place in it, as the halt names it; for sources without GTIDs."`
}

type positionSet struct {
	GTID   string `name:"gtid" xor:"what" required:"" placeholder:"SET" help:"All transactions that the target has."`
	At     string `name:"at" xor:"what" required:"" placeholder:"FILE:POS" help:"The first event to read; for sources without GTIDs."`
	Loaded bool   `name:"loaded" help:"The target has been loaded again as of this position: forget the old record, also a half-done epoch and the source's identity."`
}

type positionSettle struct {
	Ran    bool `name:"ran" xor:"what" required:"" help:"It ran: go on behind it."`
	NotRan bool `name:"not-ran" xor:"what" required:"" help:"It did not: read it again."`
}

// standing is where a stream stands, as --json prints it.
type standing struct {
	OK         bool               `json:"ok"`
	Stream     string             `json:"stream"`
	Fresh      bool               `json:"fresh"` // It has never run: there is no checkpoint.
	Checkpoint *change.Checkpoint `json:"checkpoint"`
	Before     *change.Checkpoint `json:"before,omitempty"` // Of a move.
	Epoch      uint64             `json:"epoch,omitempty"`
	HalfDone   bool               `json:"half_done"` // An epoch must be finished before the position can be moved.
	InDoubt    bool               `json:"in_doubt"`  // A statement was about to run.
}

// Run shows the record. Only the target is asked.
func (positionShow) Run(a *app) error {
	return a.atPlace(func(ctx context.Context, p *stream.Place) (standing, error) {
		st, err := p.Look(ctx)
		return standingOf(st), err
	})
}

// Run skips one transaction.
func (s positionSkip) Run(a *app) error {
	return a.atPlace(func(ctx context.Context, p *stream.Place) (standing, error) {
		if s.GTID != "" {
			return movedTo(p.SkipGTID(ctx, s.GTID))
		}
		at, err := change.ParsePosition(s.At)
		if err != nil {
			return standing{}, notAPlace(err)
		}
		return movedTo(p.SkipAt(ctx, at))
	})
}

// Run sets the checkpoint.
func (s positionSet) Run(a *app) error {
	start := stream.Start{GTID: s.GTID}
	if s.At != "" {
		var err error
		if start.Pos, err = change.ParsePosition(s.At); err != nil {
			return notAPlace(err)
		}
	}
	return a.atPlace(func(ctx context.Context, p *stream.Place) (standing, error) {
		return movedTo(p.Set(ctx, start, s.Loaded))
	})
}

// Run settles a statement in doubt.
func (s positionSettle) Run(a *app) error {
	return a.atPlace(func(ctx context.Context, p *stream.Place) (standing, error) { return movedTo(p.Settle(ctx, s.Ran)) })
}

// atPlace connects as the daemon would, does what was asked and prints where the stream stands then.
func (a *app) atPlace(do func(context.Context, *stream.Place) (standing, error)) error {
	return a.withLegs(func(ctx context.Context, c *config.Config, l legs) error {
		st, err := do(ctx, &stream.Place{Name: c.Stream, Source: l.source, Target: l.target})
		if err != nil {
			return err
		}
		st.OK, st.Stream = true, c.Stream
		if a.json {
			writeJSON(a.stdout, st)
			return nil
		}
		_, err = fmt.Fprint(a.stdout, st.text())
		return err
	})
}

func notAPlace(err error) error {
	return &change.Fault{Code: "BS-USAGE", Class: change.ClassConfig, Where: "--at", What: "not a place in a log", Err: err,
		Next: "write it as the halt prints it: binlog.000003:4711"}
}

func standingOf(st checkpoint.State) standing {
	out := standing{Fresh: st.Fresh, Epoch: st.Epoch, HalfDone: st.HalfDone != nil, InDoubt: st.Intent != nil}
	if !st.Fresh {
		out.Checkpoint = &st.Checkpoint
	}
	return out
}

func movedTo(m stream.Moved, err error) (standing, error) {
	out := standing{Checkpoint: &m.After}
	if m.Before.Source.ServerUUID != "" {
		out.Before = &m.Before
	}
	return out, err
}

// text is the answer for a person.
func (st standing) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stream       %s\n", st.Stream)
	if st.Fresh {
		return b.String() + "checkpoint   none: the stream has never run\n"
	}
	if st.Before != nil {
		fmt.Fprintf(&b, "before       %s\n", placeText(st.Before))
	}
	fmt.Fprintf(&b, "checkpoint   %s\n", placeText(st.Checkpoint))
	fmt.Fprintf(&b, "source       %s, server_id %d\n", st.Checkpoint.Source.ServerUUID, st.Checkpoint.Source.ServerID)
	if st.HalfDone {
		b.WriteString("half done    an epoch: start the daemon once before you move the position\n")
	}
	if st.InDoubt {
		b.WriteString("in doubt     a statement was about to run: start the daemon once; after BS-DDL-DOUBT answer with position settle\n")
	}
	return b.String()
}

// placeText names what the stream goes on by.
func placeText(cp *change.Checkpoint) string {
	if cp.ByGTID {
		return "GTIDs " + cp.GTIDs
	}
	return cp.Pos.String()
}
