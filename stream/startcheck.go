package stream

import (
	"context"
	"fmt"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
)

// Candidate is a place that a load has recorded, and what is known of it.
type Candidate struct {
	GTID       string // "" where it is not known.
	Pos        change.Position
	ServerUUID string // Whose log it is; "" where it is not known.
}

// CheckStart asks a source whether a stream can begin at a candidate, and gives the start to write into the config: by GTID
// where both have it. Its errors are those of a first start (BS-BINLOG-PURGED, BS-SOURCE-BEHIND, …), and
// BS-POSITION-REFUSED for a place in another server's log.
func CheckStart(ctx context.Context, source *mysqlconn.Endpoint, c Candidate) (Start, error) {
	p := Place{Source: source}
	src, info, err := p.openSource(ctx)
	if err != nil {
		return Start{}, err
	}
	defer func() { _ = src.Close() }()
	start := Start{GTID: c.GTID}
	if c.GTID == "" || !info.ByGTID() && !c.Pos.IsZero() {
		start = Start{Pos: c.Pos}
	}
	if !c.Pos.IsZero() && start.GTID == "" && c.ServerUUID != "" && c.ServerUUID != info.ServerUUID {
		return start, unmovable(fmt.Sprintf("the place is in the log of server %s, and source.addr leads to %s", c.ServerUUID, info.ServerUUID),
			"stream from that server, or go by GTID: its files are not this one's")
	}
	to, err := firstCheckpoint(info, start)
	if err != nil {
		return start, err
	}
	if start.GTID != "" {
		if err := ofHistory(info, start.GTID); err != nil {
			return start, err
		}
	}
	return start, inHistory(ctx, src, info, to)
}

// ofHistory refuses a set with transactions that the source has never executed.
func ofHistory(info replicator.SourceInfo, gtids string) error {
	set, err := change.ParseGTIDSet(gtids)
	if err != nil {
		return err
	}
	if info.Executed.Contains(set) {
		return nil
	}
	return unmovable(fmt.Sprintf("the load has %d transactions that the source has never executed", set.CountMissing(info.Executed)),
		"connect the server that was loaded from, or one of its history; transactions that a replica made by itself must not be in the set")
}
