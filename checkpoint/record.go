// Package checkpoint owns the progress table in the target: the claim that makes one daemon the owner of a stream,
// the marking statement that opens each target transaction, and what a restart reads back.
//
// The table has a row per (stream, session). The first statement of every target transaction is Claim.Mark for its
// session's row. That one statement is the fence (it matches only under our owner token and the epoch before), the
// mark (our transactions can be recognised in the target's binary log) and the record (the checkpoint commits with
// its rows or not at all: invariant 1). The package never reads the source and never writes a user's table. The
// applier and the stream call it.
package checkpoint

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/binseal/binseal/change"
)

// Schema is the control schema in the target.
const Schema = "binseal"

// Protocol is the version of the records' meaning. A half-done epoch is finished only under the version that
// began it.
const Protocol = 1

// End is where a follower's last epoch ended: everything that the epoch covered.
type End struct {
	Pos   change.Position `json:"pos"`
	GTIDs string          `json:"gtids"` // Executed set at the end; "" when the source has no GTIDs.
}

// Covered reports whether a stream that has applied pos and gtids has reached the end.
func (e End) Covered(byGTID bool, pos change.Position, gtids change.GTIDSet) (bool, error) {
	if !byGTID {
		return pos.Compare(e.Pos) >= 0, nil
	}
	end, err := change.ParseGTIDSet(e.GTIDs)
	if err != nil {
		return false, fmt.Errorf("end of the half-done epoch: %w", err)
	}
	return gtids.Contains(end), nil
}

// Intent is a DDL that was about to run when its record was committed.
type Intent struct {
	Statement   string            `json:"statement"`   // Hex SHA-256 of the statement's text.
	Fingerprint string            `json:"fingerprint"` // schema.Fingerprint of the named objects, before.
	Tables      []string          `json:"tables"`      // schema\x00table of each named table.
	Databases   []string          `json:"databases"`
	Routines    []string          `json:"routines,omitempty"`    // schema\x00name of each named routine.
	Held        []string          `json:"held,omitempty"`        // Statements on the table of held objects, for the record that says it has run.
	Blind       bool              `json:"blind,omitempty"`       // Nothing tells whether it ran.
	Witness     string            `json:"witness"`               // Marker table renamed together with the statement; "" without one.
	StorageIDs  string            `json:"storage_ids,omitempty"` // schema.StorageIDs of the tables, before; "" when the fingerprint tells.
	Idempotent  bool              `json:"idempotent"`            // Running it twice gives the same result.
	After       change.Checkpoint `json:"after"`                 // The checkpoint once it has run.
}

// Record is the content of a progress row. A leader's row holds a checkpoint, a follower's row an end.
type Record struct {
	Checkpoint   *change.Checkpoint `json:"checkpoint,omitempty"`
	Participants []int              `json:"participants,omitempty"` // Followers of the leader's epoch.
	Intent       *Intent            `json:"intent,omitempty"`
	End          *End               `json:"end,omitempty"`
}

func (r Record) encode() (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode progress record: %w", err)
	}
	return string(b), nil
}

// row is one progress row as read back.
type row struct {
	session  int
	owner    string
	epoch    uint64
	protocol int
	hash     string
	record   Record
}

// State is what a claim finds: where to go on, and what is half done.
type State struct {
	Fresh      bool // No checkpoint yet: the stream has never run.
	Checkpoint change.Checkpoint
	Epoch      uint64 // Of the checkpoint: the last complete epoch.
	Intent     *Intent
	// HalfDone is the end of an epoch of which some followers have committed and the leader has not; nil normally.
	HalfDone *End
}

// stateOf derives the State from the rows of a stream. The checkpoint is the greatest among the leaders' rows:
// two sessions take turns as leader so that one epoch can execute while the one before commits.
//
// Worked example, split mode, leader rows 0 and 1, followers 2 and 3. Rows (0: epoch 8, 1: epoch 7, 2: 8, 3: 7)
// with participants [2] in row 0: epoch 8 is complete; session 3 took no part in it. If row 2 said 9, a follower of
// epoch 9 had committed and its leader had not: half done. If row 2 said 7, the target has lost a commit.
func stateOf(rows []row, hash string) (State, error) {
	st := State{Fresh: true}
	var participants []int
	for leader := range 2 { // All rows are made in one transaction: a missing one was taken away, and its checkpoint with it.
		if len(rows) > 0 && !slices.ContainsFunc(rows, func(r row) bool { return r.session == leader }) {
			return State{}, inconsistent(fmt.Sprintf("the row of session %d is missing", leader))
		}
	}
	for _, r := range rows {
		if r.record.Checkpoint != nil && (st.Fresh || r.epoch > st.Epoch) {
			st = State{Checkpoint: *r.record.Checkpoint, Epoch: r.epoch, Intent: r.record.Intent}
			participants = r.record.Participants
		}
	}
	if st.Fresh {
		for _, r := range rows {
			if r.epoch > 0 {
				return State{}, inconsistent(fmt.Sprintf("session %d is at epoch %d and there is no checkpoint", r.session, r.epoch))
			}
		}
		return st, nil
	}
	epochs := make(map[int]uint64, len(rows))
	for _, r := range rows {
		epochs[r.session] = r.epoch
		if r.epoch <= st.Epoch || !recorded {
			continue
		}
		if r.epoch != st.Epoch+1 || r.record.End == nil {
			return State{}, inconsistent(fmt.Sprintf("session %d is at epoch %d and the checkpoint at %d", r.session, r.epoch, st.Epoch))
		}
		if r.protocol != Protocol || r.hash != hash {
			return State{}, &change.Fault{Code: "BS-CONFIG-CHANGED", Class: change.ClassPerson,
				What: "an epoch is half done and was begun under another configuration or version",
				Next: "start once with the configuration and version that ran before, let it finish the epoch, then change them"}
		}
		st.HalfDone = r.record.End
	}
	for _, p := range participants {
		if epochs[p] < st.Epoch && recorded {
			return State{}, &change.Fault{Code: "BS-TARGET-LOST-COMMITS", Class: change.ClassPerson,
				What: fmt.Sprintf("the target has lost commits: session %d is at epoch %d, but took part in epoch %d", p, epochs[p], st.Epoch),
				Next: "the target was restored or failed over with data loss; load it again from the source and set its position (binseal position set --loaded)"}
		}
	}
	return st, nil
}

func inconsistent(what string) error {
	return &change.Fault{Code: "BS-PROGRESS-CORRUPT", Class: change.ClassPerson,
		What: "the progress table does not make sense: " + what,
		Next: "somebody has edited or restored binseal.progress; restore the rows, or load the target again and set its position (binseal position set --loaded)"}
}
