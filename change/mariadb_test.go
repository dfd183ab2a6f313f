package change

import (
	"testing"

	"pgregory.net/rapid"
)

// position parses a position that the test is sure of.
func position(t testing.TB, text string) GTIDSet {
	t.Helper()
	s, err := ParseGTIDSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPositionsOfMariaDB(t *testing.T) {
	for name, c := range map[string]struct {
		a, b           string
		contains       bool  // a contains b.
		missing, count int64 // Of a in b; of a.
	}{
		"the same":                             {"0-1-100", "0-1-100", true, 0, 100},
		"ahead, by another server":             {"0-2-101", "0-1-100", true, 1, 101},
		"behind":                               {"0-1-99", "0-1-100", false, 0, 99},
		"one number, two servers":              {"0-2-100", "0-1-100", false, 0, 100},
		"a domain more":                        {"0-1-100,7-1-5", "0-1-100", true, 5, 105},
		"a domain less":                        {"0-1-100", "0-1-100,7-1-5", false, 0, 100},
		"ahead in one domain, behind in other": {"0-1-110,7-1-4", "0-1-100,7-1-5", false, 10, 114},
		"nothing":                              {"", "0-1-1", false, 0, 0},
		"all of nothing":                       {"0-1-1", "", true, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := position(t, c.a), position(t, c.b)
			if got := a.Contains(b); got != c.contains {
				t.Errorf("contains: %v", got)
			}
			if got := a.CountMissing(b); got != c.missing {
				t.Errorf("%d missing, want %d", got, c.missing)
			}
			if got := a.Count(); got != c.count {
				t.Errorf("count %d, want %d", got, c.count)
			}
		})
	}
}

func TestPositionGrowsByDomain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s GTIDSet
		last := map[uint32]int64{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			g := GTID{Domain: rapid.Uint32Range(0, 3).Draw(t, "domain"), Server: rapid.Uint32Range(1, 2).Draw(t, "server"),
				GNO: rapid.Int64Range(1, 20).Draw(t, "number")}
			before := s.Clone()
			s.Add(g)
			last[g.Domain] = max(last[g.Domain], g.GNO)
			if !s.Has(g) || before.Has(g) != (before.CountMissing(GTIDSet{}) == s.CountMissing(GTIDSet{})) {
				t.Fatalf("%s after adding %s to %s", s, g, before)
			}
		}
		for domain, seq := range last {
			if !s.Has(GTID{Domain: domain, Server: 9, GNO: seq}) || s.Has(GTID{Domain: domain, Server: 9, GNO: seq + 1}) {
				t.Fatalf("%s does not end domain %d at %d", s, domain, seq)
			}
		}
		again, err := ParseGTIDSet(s.String())
		if err != nil || again.String() != s.String() || !again.Contains(s) || !s.Contains(again) {
			t.Fatalf("%s reads back as %s: %v", s, again, err)
		}
		var sum GTIDSet
		sum.Union(s)
		if sum.String() != s.String() {
			t.Fatalf("the union of nothing and %s is %s", s, sum)
		}
	})
}

func TestWhatIsNoPosition(t *testing.T) {
	for _, text := range []string{"0-1", "0-1-2-3", "0-1-0", "0-0-5", "x-1-2", "-1-2-3", "0-1-5,0-1-6", "4294967296-1-1", "0-1-9223372036854775808", "0-1-1,"} {
		if s, err := ParseGTIDSet(text); err == nil {
			t.Errorf("%q reads as %s", text, s)
		}
	}
}

func TestEndsOfDomains(t *testing.T) {
	s := position(t, "0-1-100,7-2-5")
	if got := s.Last(7); got != (GTID{Domain: 7, Server: 2, GNO: 5}) {
		t.Errorf("the last of domain 7 is %s", got)
	}
	if got := s.Last(3); !got.IsZero() {
		t.Errorf("the last of a domain without any is %s", got)
	}
	for want, last := range map[string]GTID{"0-1-100,7-9-3": {Domain: 7, Server: 9, GNO: 3}, "0-1-100": {}} {
		if got := s.EndingAt(7, last); got.String() != want {
			t.Errorf("ending at %q: %s, want %s", last, got, want)
		}
	}
	if got := s.EndingAt(3, GTID{Domain: 3, Server: 1, GNO: 1}); got.String() != "0-1-100,3-1-1,7-2-5" || s.String() != "0-1-100,7-2-5" {
		t.Errorf("another domain: %s, of %s", got, s)
	}
}
