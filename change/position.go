package change

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Position is a place in the source's binary log: a file name and a byte offset. The offset is 64 bits wide
// because a single transaction may take a file past 4 GiB, where the event header's 32-bit field wraps.
type Position struct {
	File string `json:"file"`
	Pos  uint64 `json:"pos"`
}

// IsZero reports whether the position is unknown.
func (p Position) IsZero() bool { return p.File == "" }

// String renders file:pos.
func (p Position) String() string { return p.File + ":" + strconv.FormatUint(p.Pos, 10) }

// ParsePosition reads the form file:pos that String gives.
func ParsePosition(s string) (Position, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 1 || FileNumber(s[:i]) == 0 {
		return Position{}, fmt.Errorf("position %q: not FILE:POS with a file of a binary log", s)
	}
	pos, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: no offset behind the file", s)
	}
	return Position{File: s[:i], Pos: pos}, nil
}

// Compare orders positions of one source: -1, 0 or 1. Files are compared by the number behind the last dot, not
// as text, since binlog.1000000 follows binlog.999999.
func (p Position) Compare(o Position) int {
	if p.File != o.File {
		if pn, on := FileNumber(p.File), FileNumber(o.File); pn != on {
			if pn < on {
				return -1
			}
			return 1
		}
		return strings.Compare(p.File, o.File)
	}
	switch {
	case p.Pos < o.Pos:
		return -1
	case p.Pos > o.Pos:
		return 1
	}
	return 0
}

// FileNumber is the sequence number at the end of a binary log's file name; 0 when it has none.
func FileNumber(file string) uint64 {
	n, err := strconv.ParseUint(file[strings.LastIndexByte(file, '.')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Source is the identity of a source server, kept in the checkpoint: a saved position is used only on the
// source that it came from (invariant 10).
type Source struct {
	ServerUUID string `json:"server_uuid"` // @@server_uuid; changes when a server is rebuilt or replaced.
	ServerID   uint32 `json:"server_id"`   // @@server_id
	Version    string `json:"version"`     // @@version, for people
}

// Checkpoint is everything needed to go on: all transactions up to it are on the target, none behind it is.
type Checkpoint struct {
	Pos    Position `json:"pos"`     // End of the last applied transaction in the source's log; zero when its place is not known.
	GTIDs  string   `json:"gtids"`   // Executed set, in the server's text form; "" when the source has no GTIDs.
	ByGTID bool     `json:"by_gtid"` // Whether to resume by GTID auto-position; else by Pos.
	Source Source   `json:"source"`

	// CommitTime is the source's commit time of the last applied transaction; zero before the first.
	CommitTime time.Time `json:"commit_time"`
	// CaughtUpAt is the last moment, on the source's clock, at which the checkpoint was known to cover the
	// source's end. It lets lag survive a restart while the source cannot be asked; zero when never known.
	CaughtUpAt time.Time `json:"caught_up_at"`
	// ClockOffset is the source's clock minus the daemon's, as last measured.
	ClockOffset time.Duration `json:"clock_offset_ns"`
	// Evidence of the last applied transaction that shows any: see replicator, Admit.
	Evidence Evidence `json:"evidence,omitzero"`
	// Undecided are the XA transactions that the source has prepared before Pos and not decided: what they change is
	// neither visible on the source nor on the target.
	Undecided Undecided `json:"undecided,omitzero"`
	// Created names the transaction behind Pos whose CREATE TABLE has run and whose rows have not been committed:
	// see applier, createHead. "" nearly always.
	Created string `json:"created,omitempty"`
}

// String names the checkpoint for logs and errors.
func (c Checkpoint) String() string {
	if c.GTIDs != "" {
		return fmt.Sprintf("%s (GTIDs %s)", c.Pos, c.GTIDs)
	}
	return c.Pos.String()
}
