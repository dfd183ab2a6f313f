package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// moveTo is a decision that looks at nothing.
func moveTo(m Move) func(State) (Move, error) {
	return func(State) (Move, error) { return m, nil }
}

// A move counts for the next claim, and for the daemon that ran before it is a take-over.
func moveStopped(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	var owners Owners
	old, _ := take(t, s, stream, &owners)
	for epoch := uint64(1); epoch <= 2; epoch++ { // Both leaders have a record.
		execute(t, s, "START TRANSACTION", mark(t, old, int(epoch%2), epoch), "COMMIT")
		old.Committed(int(epoch%2), epoch)
	}
	held := "INSERT INTO `shop`.`t` VALUES (4711)" // Stands for one on the held objects.
	var seen State
	err := Reposition(t.Context(), s, stream, func(st State) (Move, error) {
		seen = st
		return Move{To: *at(99), Held: []string{held}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(State{Checkpoint: *at(20), Epoch: 2}, seen); diff != "" {
		t.Errorf("decided on (-want +got):\n%s", diff)
	}
	if n := r.server.QueryT(t, "SELECT COUNT(*) FROM shop.t WHERE id=4711")[0][0]; n != "1" {
		t.Errorf("%s of the statements on held objects ran", n)
	}
	if n := execute(t, s, mark(t, old, 1, 3)); n != 0 {
		t.Errorf("a mark of the daemon before matches %d rows", n)
	}
	_, _, err = Take(t.Context(), s, options(stream), &owners)
	wantFault(t, err, "BS-FENCED")
	want := State{Checkpoint: *at(99), Epoch: 3}
	if st, err := Look(t.Context(), s, stream); err != nil || !cmp.Equal(want, st) {
		t.Errorf("%+v, %v", st, err)
	}
	if _, st := take(t, s, stream, &Owners{}); !cmp.Equal(want, st) {
		t.Errorf("the next claim finds %+v", st)
	}
}

// A daemon with a session on the target runs, whatever it does at the moment.
func moveRunning(t *testing.T, r *rig, stream string) {
	s, daemon := open(t, r.target), open(t, r.target)
	c, _ := take(t, daemon, stream, &Owners{})
	if err := c.Register(t.Context(), daemon); err != nil {
		t.Fatal(err)
	}
	execute(t, daemon, mark(t, c, 1, 1))
	c.Committed(1, 1)
	err := Reposition(t.Context(), s, stream, moveTo(Move{To: *at(99)}))
	if f := change.FaultOf(err); f == nil || f.Code != "BS-STREAM-RUNNING" || f.Next == "" {
		t.Errorf("while the daemon runs: %v", err)
	}
	err = Relocate(t.Context(), s, stream, true, moveTo(Move{To: *at(99)}))
	if f := change.FaultOf(err); f == nil || f.Code != "BS-STREAM-RUNNING" {
		t.Errorf("loaded again, while the daemon runs: %v", err)
	}
	if n := execute(t, daemon, mark(t, c, 0, 2)); n != 1 {
		t.Errorf("its next mark matches %d rows", n)
	}
}

// A record that makes no sense is in the way of a move, and not of a target that was loaded again.
func moveLoaded(t *testing.T, r *rig, stream string) {
	s := open(t, r.target)
	c, _ := take(t, s, stream, &Owners{})
	execute(t, s, mark(t, c, 1, 7))
	r.server.Exec(t, "UPDATE binseal.progress SET record='{' WHERE stream='"+stream+"' AND session=1")
	_, err := Look(t.Context(), s, stream)
	wantFault(t, err, "BS-PROGRESS-CORRUPT")
	wantFault(t, Reposition(t.Context(), s, stream, moveTo(Move{To: *at(99)})), "BS-PROGRESS-CORRUPT")
	if err := Relocate(t.Context(), s, stream, true, moveTo(Move{To: *at(99)})); err != nil {
		t.Fatal(err)
	}
	if _, st := take(t, s, stream, &Owners{}); !cmp.Equal(State{Checkpoint: *at(99), Epoch: 8}, st) {
		t.Errorf("the next claim finds %+v", st)
	}
	fresh := stream + "-new"
	if st, err := Look(t.Context(), s, fresh); err != nil || !st.Fresh {
		t.Errorf("a stream that has never run: %+v, %v", st, err)
	}
	if err := Relocate(t.Context(), s, fresh, true, moveTo(Move{To: *at(5)})); err != nil {
		t.Fatal(err)
	}
	if _, st := take(t, s, fresh, &Owners{}); !cmp.Equal(State{Checkpoint: *at(5), Epoch: 1}, st) {
		t.Errorf("its first claim finds %+v", st)
	}
}

func TestSettled(t *testing.T) {
	before, after := *at(10), *at(20)
	before.Source.ServerUUID = server1
	intent := &Intent{After: after, Held: []string{"DELETE"}}
	after.Source = before.Source
	for name, c := range map[string]struct {
		st   State
		ran  bool
		want Move
		ok   bool
	}{
		"no statement is in doubt": {State{Checkpoint: before}, true, Move{}, false},
		"it ran: behind it":        {State{Checkpoint: before, Intent: intent}, true, Move{To: after, Held: []string{"DELETE"}}, true},
		"it did not: before it":    {State{Checkpoint: before, Intent: intent}, false, Move{To: before}, true},
	} {
		got, ok := c.st.Settled(c.ran)
		if ok != c.ok || !cmp.Equal(c.want, got) {
			t.Errorf("%s: %v\n%s", name, ok, cmp.Diff(c.want, got))
		}
	}
}
