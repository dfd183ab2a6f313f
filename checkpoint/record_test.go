package checkpoint

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

const (
	server1 = "11111111-1111-1111-1111-111111111111"
	hash    = "the hash"
)

// at is a checkpoint at byte n.
func at(n uint64) *change.Checkpoint {
	return &change.Checkpoint{Pos: change.Position{File: "binlog.000001", Pos: n}}
}

func endAt(n uint64) *End { return &End{Pos: at(n).Pos} }

// leaderRow and followerRow are rows as the protocol leaves them at an epoch that ends at byte 10·epoch.
func leaderRow(session int, epoch uint64, participants ...int) row {
	return row{session: session, epoch: epoch, protocol: Protocol, hash: hash, record: Record{Checkpoint: at(10 * epoch), Participants: participants}}
}

func followerRow(session int, epoch uint64) row {
	return row{session: session, epoch: epoch, protocol: Protocol, hash: hash, record: Record{End: endAt(10 * epoch)}}
}

// untouched is a row whose session has never committed.
func untouched(session int) row { return row{session: session, protocol: Protocol, hash: hash} }

func with(r row, edit func(*row)) row {
	edit(&r)
	return r
}

func TestStateOf(t *testing.T) {
	intent := &Intent{Statement: "abc"}
	cases := map[string]struct {
		rows []row
		want State
		code string
	}{
		"no rows: the stream is new":                  {nil, State{Fresh: true}, ""},
		"claimed and stopped before its first record": {[]row{untouched(0), untouched(1), untouched(2)}, State{Fresh: true}, ""},
		"the first record, by session 1":              {[]row{untouched(0), leaderRow(1, 1), untouched(2)}, State{Checkpoint: *at(10), Epoch: 1}, ""},
		"the leaders take turns: the greater epoch counts, session 0": {
			[]row{leaderRow(0, 8), leaderRow(1, 7)}, State{Checkpoint: *at(80), Epoch: 8}, ""},
		"the same, session 1": {[]row{leaderRow(0, 8), leaderRow(1, 9)}, State{Checkpoint: *at(90), Epoch: 9}, ""},
		"an intent belongs to its checkpoint": {
			[]row{with(leaderRow(0, 8), func(r *row) { r.record.Intent = intent }), leaderRow(1, 7)},
			State{Checkpoint: *at(80), Epoch: 8, Intent: intent}, ""},
		"an older intent is settled": {
			[]row{with(leaderRow(0, 8), func(r *row) { r.record.Intent = intent }), leaderRow(1, 9)},
			State{Checkpoint: *at(90), Epoch: 9}, ""},
		"a complete split epoch, in which session 3 took no part": {
			[]row{leaderRow(0, 8, 2), leaderRow(1, 7), followerRow(2, 8), followerRow(3, 7)}, State{Checkpoint: *at(80), Epoch: 8}, ""},
		"followers behind: strict epochs since": {
			[]row{leaderRow(0, 8), leaderRow(1, 7, 2, 3), followerRow(2, 5), followerRow(3, 4)}, State{Checkpoint: *at(80), Epoch: 8}, ""},
		"one follower is ahead: half done": {
			[]row{leaderRow(0, 8, 2), leaderRow(1, 7), followerRow(2, 9), followerRow(3, 7)},
			State{Checkpoint: *at(80), Epoch: 8, HalfDone: endAt(90)}, ""},
		"all followers are ahead: half done": {
			[]row{leaderRow(0, 8), leaderRow(1, 7), followerRow(2, 9), followerRow(3, 9)},
			State{Checkpoint: *at(80), Epoch: 8, HalfDone: endAt(90)}, ""},
		"the very first split epoch half done": {
			[]row{untouched(0), leaderRow(1, 1), followerRow(2, 2), untouched(3)},
			State{Checkpoint: *at(10), Epoch: 1, HalfDone: endAt(20)}, ""},
		"half done under another configuration": {
			[]row{leaderRow(0, 8), leaderRow(1, 7), with(followerRow(2, 9), func(r *row) { r.hash = "other" })}, State{}, "BS-CONFIG-CHANGED"},
		"half done under another protocol": {
			[]row{leaderRow(0, 8), leaderRow(1, 7), with(followerRow(2, 9), func(r *row) { r.protocol = Protocol + 1 })}, State{}, "BS-CONFIG-CHANGED"},
		"nothing half done: the configuration may change": {
			[]row{with(leaderRow(0, 8), func(r *row) { r.hash = "other" }), with(leaderRow(1, 7), func(r *row) { r.hash = "other" })},
			State{Checkpoint: *at(80), Epoch: 8}, ""},
		"a participant is behind: the target lost a commit": {
			[]row{leaderRow(0, 8, 2, 3), leaderRow(1, 7), followerRow(2, 8), followerRow(3, 7)}, State{}, "BS-TARGET-LOST-COMMITS"},
		"a participant's row is gone": {
			[]row{leaderRow(0, 8, 2, 3), leaderRow(1, 7), followerRow(2, 8)}, State{}, "BS-TARGET-LOST-COMMITS"},
		"a participant of the epoch is already in the next one": {
			[]row{leaderRow(0, 8, 2, 3), leaderRow(1, 7), followerRow(2, 9), followerRow(3, 8)},
			State{Checkpoint: *at(80), Epoch: 8, HalfDone: endAt(90)}, ""},
		"a follower is two epochs ahead": {[]row{leaderRow(0, 8), leaderRow(1, 7), followerRow(2, 10)}, State{}, "BS-PROGRESS-CORRUPT"},
		"a follower is ahead without an end": {
			[]row{leaderRow(0, 8), leaderRow(1, 7), with(followerRow(2, 9), func(r *row) { r.record.End = nil })}, State{}, "BS-PROGRESS-CORRUPT"},
		"a leader is ahead without a checkpoint": {
			[]row{leaderRow(0, 8), with(leaderRow(1, 9), func(r *row) { r.record.Checkpoint = nil })}, State{}, "BS-PROGRESS-CORRUPT"},
		"followers have committed and no leader has a checkpoint: not a new stream": {
			[]row{untouched(0), untouched(1), followerRow(2, 5)}, State{}, "BS-PROGRESS-CORRUPT"},
		"the row with the checkpoint was deleted": {[]row{leaderRow(1, 7), followerRow(2, 8)}, State{}, "BS-PROGRESS-CORRUPT"},
		"both leaders' rows were deleted":         {[]row{followerRow(2, 8)}, State{}, "BS-PROGRESS-CORRUPT"},
		"fewer sessions than before": {
			[]row{leaderRow(0, 8), leaderRow(1, 7), followerRow(2, 6), followerRow(31, 9)},
			State{Checkpoint: *at(80), Epoch: 8, HalfDone: endAt(90)}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := stateOf(c.rows, hash)
			code := ""
			if f := change.FaultOf(err); f != nil {
				code = f.Code
				if f.Class != change.ClassPerson || f.Next == "" {
					t.Errorf("class %d, next step %q", f.Class, f.Next)
				}
			}
			if code != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("got error %v, want %s", err, c.code)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCovered(t *testing.T) {
	end := End{Pos: at(100).Pos, GTIDs: server1 + ":1-10"}
	cases := map[string]struct {
		end    End
		byGTID bool
		pos    change.Position
		gtids  string
		want   bool
	}{
		"by position, before":                   {end, false, at(99).Pos, server1 + ":1-10", false},
		"by position, there":                    {end, false, at(100).Pos, "", true},
		"by position, in a later file":          {end, false, change.Position{File: "binlog.000002", Pos: 4}, "", true},
		"by GTID, one is missing":               {end, true, at(999).Pos, server1 + ":1-4:6-10", false},
		"by GTID, all are there":                {end, true, at(1).Pos, server1 + ":1-10", true},
		"by GTID, and others beside":            {end, true, at(1).Pos, server1 + ":1-11", true},
		"by GTID, of another server":            {end, true, at(999).Pos, "22222222-2222-2222-2222-222222222222:1-10", false},
		"by GTID, and nothing was in the epoch": {End{}, true, change.Position{}, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gtids, err := change.ParseGTIDSet(c.gtids)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.end.Covered(c.byGTID, c.pos, gtids)
			if err != nil || got != c.want {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
	if _, err := (End{GTIDs: "x"}).Covered(true, change.Position{}, change.GTIDSet{}); err == nil {
		t.Error("an end that is no GTID set counts as reached or not")
	}
}

func TestQuote(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"nothing":        {"", `''`},
		"a word":         {"shop", `'shop'`},
		"quotes":         {`a'b"c`, `'a\'b"c'`},
		"a backslash":    {`a\`, `'a\\'`},
		"both together":  {`\'`, `'\\\''`},
		"JSON's escapes": {`{"a":"\n\u0000"}`, `'{"a":"\\n\\u0000"}'`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, quote(c.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARecordComesBackAsItWas(t *testing.T) {
	cp := *at(1 << 40)
	cp.GTIDs, cp.ByGTID = server1+":1-7", true
	cp.Source = change.Source{ServerUUID: server1, ServerID: 7, Version: `8.4 "it's"\`}
	cp.CommitTime = time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	cp.CaughtUpAt, cp.ClockOffset = cp.CommitTime.Add(time.Second), -3*time.Millisecond
	want := Record{Checkpoint: &cp, Participants: []int{2, 5}, End: endAt(3),
		Intent: &Intent{Statement: "ab", Fingerprint: "cd", Tables: []string{"shop\x00it's"}, Databases: []string{"shop"}, Witness: "w", Idempotent: true, After: cp}}
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOwners(t *testing.T) {
	cases := map[string]struct {
		sent [][2]string // Our token, and the owner that it was to replace.
		now  string      // The owner in the rows.
		lost bool
	}{
		"a process that has claimed nothing may take over": {nil, "other", false},
		"our own last claim": {[][2]string{{"a1", "old"}}, "a1", false},
		"an earlier claim of ours: the last COMMIT did not arrive":         {[][2]string{{"a1", "old"}, {"a2", "a1"}}, "a1", false},
		"the owner that our first claim was to replace: it did not arrive": {[][2]string{{"a1", "old"}}, "old", false},
		"somebody has claimed after us":                                    {[][2]string{{"a1", "old"}}, "other", true},
		"somebody has claimed between two claims of ours":                  {[][2]string{{"a1", "old"}, {"a2", "a1"}}, "other", true},
		"an owner that we replaced long ago cannot be back":                {[][2]string{{"a1", "old"}, {"a2", "a1"}}, "old", true},
		"a new stream that somebody else has claimed since we tried":       {[][2]string{{"a1", ""}}, "other", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var o Owners
			for _, s := range c.sent {
				o.sent(s[0], s[1])
			}
			if got := o.lostTo(c.now); got != c.lost {
				t.Errorf("got %v, want %v", got, c.lost)
			}
		})
	}
}
