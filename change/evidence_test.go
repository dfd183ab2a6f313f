package change

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestEvidence(t *testing.T) {
	g := GTID{UUID: uuid.MustParse(uuidA), GNO: 7}
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	cases := map[string]struct {
		known, found Evidence
		want         bool
	}{
		"the same time":                        {Evidence{GTID: g, Original: at}, Evidence{GTID: g, Original: at.Local()}, true},
		"a microsecond apart":                  {Evidence{GTID: g, Original: at}, Evidence{GTID: g, Original: at.Add(time.Microsecond)}, false},
		"no time any more":                     {Evidence{GTID: g, Original: at}, Evidence{GTID: g}, false},
		"another number":                       {Evidence{GTID: g, Original: at}, Evidence{GTID: GTID{UUID: g.UUID, GNO: 8}, Original: at}, false},
		"another tag":                          {Evidence{GTID: g, Original: at}, Evidence{GTID: GTID{UUID: g.UUID, Tag: "blue", GNO: 7}, Original: at}, false},
		"the same rows":                        {Evidence{GTID: g, Digest: "ab"}, Evidence{GTID: g, Digest: "ab"}, true},
		"the same rows, and a time meanwhile":  {Evidence{GTID: g, Digest: "ab"}, Evidence{GTID: g, Digest: "ab", Original: at}, true},
		"other rows":                           {Evidence{GTID: g, Digest: "ab"}, Evidence{GTID: g, Digest: "cd"}, false},
		"no rows":                              {Evidence{GTID: g, Digest: "ab"}, Evidence{GTID: g}, false},
		"nothing shows nothing":                {Evidence{GTID: g}, Evidence{GTID: g}, false},
		"a transaction without a GTID neither": {Evidence{Original: at}, Evidence{Original: at}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.known.Shows(c.found); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A record keeps the evidence to the microsecond, and one without any reads back as none.
func TestEvidenceInARecord(t *testing.T) {
	for _, want := range []Checkpoint{
		{Evidence: Evidence{GTID: GTID{UUID: uuid.MustParse(uuidA), Tag: "blue", GNO: 1<<63 - 2}, Original: time.UnixMicro(1_700_000_000_123_456).UTC()}},
		{Evidence: Evidence{GTID: GTID{UUID: uuid.MustParse(uuidA), GNO: 1}, Digest: "ab"}},
		{},
	} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Checkpoint
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, bad := range []string{"x", uuidA, uuidA + ":", uuidA + ":0", uuidA + ":-1", uuidA + ":1-3", "x:1", uuidA + ":blue:x", uuidA + ":a:b:1"} {
		if err := new(GTID).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a GTID", bad)
		}
	}
}

func TestWithoutTakesOneAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := drawSet(t, "set")
		g := gtids.Draw(t, "taken")
		less := s.Without(g)
		agree(t, s, m) // The set itself is as it was.
		delete(m, g)
		agree(t, less, m)
		less.Add(g)
		m[g] = true
		agree(t, less, m)
	})
}
