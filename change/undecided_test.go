package change

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const undecidedUUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

func TestUndecidedWithoutSkippedTransactions(t *testing.T) {
	since := Position{File: "binlog.000001", Pos: 4}
	mysql := Undecided{Since: since, Count: 2, GTIDs: undecidedUUID + ":5:9"}
	mariadb := Undecided{Since: since, Count: 3, GTIDs: "0-1-5,0-1-9,7-2-5", Behind: "0-1-4,7-2-3"}
	one := Undecided{Since: since, Count: 1, GTIDs: "0-1-5", Behind: "0-1-4"}
	for gone, c := range map[string]struct{ from, want Undecided }{
		undecidedUUID + ":5": {mysql, Undecided{Since: since, Count: 1, GTIDs: undecidedUUID + ":9"}},
		undecidedUUID + ":6": {mysql, mysql},
		"0-1-9":              {mariadb, Undecided{Since: since, Count: 2, GTIDs: "0-1-5,7-2-5", Behind: "0-1-4,7-2-3"}},
		"0-1-6":              {mariadb, mariadb},
		"0-2-5":              {mariadb, mariadb},
		"0-1-5":              {one, Undecided{}},
	} {
		g, err := ParseGTID(gone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.from.Without(g)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("without %s: %v\n%s", gone, err, d)
		}
	}
	anonymous := Undecided{Since: since, Count: 1}
	if got, err := anonymous.Without(GTID{Server: 1, GNO: 1}); err != nil || !cmp.Equal(got, anonymous) {
		t.Errorf("without GTIDs: %+v (%v)", got, err)
	}
	if _, err := (Undecided{Count: 1, GTIDs: "0-1"}).Without(GTID{Server: 1, GNO: 1}); err == nil {
		t.Error("a list that is none is read")
	}
}

func TestListGTIDs(t *testing.T) {
	for _, text := range []string{"", "0-1-5", "0-1-9,0-1-5,7-2-5", undecidedUUID + ":5", undecidedUUID + ":5:7-9:blue:3"} {
		all, err := Undecided{GTIDs: text}.Members()
		if err != nil || ListGTIDs(all) != text {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
}

// By GTID, what MySQL's set leaves out MariaDB's position cannot.
func TestResumeGTIDs(t *testing.T) {
	for name, c := range map[string]struct {
		from Checkpoint
		want string
	}{
		"nothing undecided":       {Checkpoint{GTIDs: "0-1-9"}, "0-1-9"},
		"MariaDB":                 {Checkpoint{GTIDs: "0-1-9", Undecided: Undecided{Count: 1, GTIDs: "0-1-5", Behind: "0-2-4"}}, "0-2-4"},
		"MariaDB, from the start": {Checkpoint{GTIDs: "0-1-9", Undecided: Undecided{Count: 1, GTIDs: "0-1-1"}}, ""},
		"MySQL":                   {Checkpoint{GTIDs: undecidedUUID + ":1-4:6-9", Undecided: Undecided{Count: 1, GTIDs: undecidedUUID + ":5"}}, undecidedUUID + ":1-4:6-9"},
	} {
		if got := c.from.ResumeGTIDs(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestParseGTID(t *testing.T) {
	for text, want := range map[string]string{"0-1-5": "0-1-5", undecidedUUID + ":5": undecidedUUID + ":5", undecidedUUID + ":Blue:5": undecidedUUID + ":blue:5",
		"": "", "0-1-5,7-1-1": "", "0-1-0": "", "0-1": "", undecidedUUID + ":5-6": "", undecidedUUID: "", "x": ""} {
		if g, err := ParseGTID(text); g.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s, %v", text, g, err)
		}
	}
}
