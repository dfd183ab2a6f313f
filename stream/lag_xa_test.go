package stream

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/binseal/binseal/change"
)

// A prepared XA transaction can be seen by nobody on the source: the gap that it leaves in the executed set must not
// keep a cutover waiting for ever. Its decision is a transaction like any other.
func TestUndecidedXADoesNotCountAsBehind(t *testing.T) {
	id := uuid.UUID{1}.String()
	b := newBench()
	undecided := change.Undecided{Since: at(500), Count: 1, GTIDs: id + ":5"}
	if err := b.restart(change.Checkpoint{Pos: at(1000), GTIDs: id + ":1-4:6-10", ByGTID: true, Undecided: undecided}); err != nil {
		t.Fatal(err)
	}
	b.gtids = gtidSet(t, id+":1-10")
	b.ask()
	b.wantLag(t, 0, false)
	if lag := b.lag(); lag.PreparedXA != 1 || lag.Behind.Transactions != 0 {
		t.Errorf("prepared %d, behind %+v", lag.PreparedXA, lag.Behind)
	}
	b.gtids = gtidSet(t, id+":1-11") // XA COMMIT
	b.pass(time.Second)
	b.ask()
	if lag := b.lag(); lag.CaughtUp || lag.Behind.Transactions != 1 {
		t.Errorf("the decision is not on the target: caught up %v, behind %+v", lag.CaughtUp, lag.Behind)
	}
	b.committed(0, change.Checkpoint{Pos: at(1100), GTIDs: id + ":1-11", ByGTID: true}, 100)
	b.wantLag(t, 0, false)
	if lag := b.lag(); lag.PreparedXA != 0 {
		t.Errorf("prepared %d behind the decision", lag.PreparedXA)
	}
}

// So it is on MariaDB, whose position has the number of the XA PREPARE in any case.
func TestUndecidedXAOnMariaDBDoesNotCountAsBehind(t *testing.T) {
	b := newBench()
	undecided := change.Undecided{Since: at(500), Count: 2, GTIDs: "0-1-5,0-1-7", Behind: "0-1-4"}
	if err := b.restart(change.Checkpoint{Pos: at(1000), GTIDs: "0-1-10", ByGTID: true, Undecided: undecided}); err != nil {
		t.Fatal(err)
	}
	b.gtids = gtidSet(t, "0-1-10")
	b.ask()
	b.wantLag(t, 0, false)
	b.gtids = gtidSet(t, "0-1-11") // XA COMMIT
	b.pass(time.Second)
	b.ask()
	if lag := b.lag(); lag.CaughtUp || lag.PreparedXA != 2 || lag.Behind.Transactions != 1 {
		t.Errorf("the decision is not on the target: %+v", lag)
	}
	b.committed(0, change.Checkpoint{Pos: at(1100), GTIDs: "0-1-11", ByGTID: true, Undecided: change.Undecided{Since: at(500), Count: 1, GTIDs: "0-1-7", Behind: "0-1-4"}}, 100)
	b.wantLag(t, 0, false)
	if lag := b.lag(); lag.PreparedXA != 1 {
		t.Errorf("prepared %d behind the decision", lag.PreparedXA)
	}
}
