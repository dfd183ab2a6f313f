package change

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPositionCompare(t *testing.T) {
	cases := map[string]struct {
		a, b Position
		want int
	}{
		"the same place":                                 {Position{"binlog.000003", 4}, Position{"binlog.000003", 4}, 0},
		"earlier in the same file":                       {Position{"binlog.000003", 4}, Position{"binlog.000003", 5}, -1},
		"offsets beyond 4 GiB do not wrap":               {Position{"binlog.000003", 1 << 32}, Position{"binlog.000003", 4}, 1},
		"a later file wins over a greater offset":        {Position{"binlog.000004", 4}, Position{"binlog.000003", 1 << 40}, 1},
		"a seventh digit is a greater number":            {Position{"binlog.999999", 4}, Position{"binlog.1000000", 4}, -1},
		"ten is more than nine also without zeros":       {Position{"binlog.9", 4}, Position{"binlog.10", 4}, -1},
		"the number stands behind the last dot":          {Position{"db.prod.000009", 4}, Position{"db.prod.000010", 4}, -1},
		"the number counts, not the base name":           {Position{"mysql-bin.000002", 4}, Position{"binlog.000003", 4}, -1},
		"names of one number have some order":            {Position{"a.000003", 9}, Position{"b.000003", 4}, -1},
		"the unknown position is before every other one": {Position{}, Position{"binlog.000001", 4}, -1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.a.Compare(c.b); got != c.want {
				t.Errorf("%s against %s: got %d, want %d", c.a, c.b, got, c.want)
			}
			if got := c.b.Compare(c.a); got != -c.want {
				t.Errorf("%s against %s: got %d, want %d", c.b, c.a, got, -c.want)
			}
		})
	}
}

func TestPositionsAreTotallyOrdered(t *testing.T) {
	names := []string{"", "binlog.000001", "binlog.1", "binlog.999999", "binlog.1000000", "other.000001", "binlog", "binlog.x", "7"}
	position := rapid.Custom(func(t *rapid.T) Position {
		return Position{File: rapid.SampledFrom(names).Draw(t, "file"), Pos: rapid.Uint64Range(0, 3).Draw(t, "pos")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := position.Draw(t, "a"), position.Draw(t, "b"), position.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s: %d one way, %d the other", a, b, a.Compare(b), b.Compare(a))
		}
		if (a.Compare(b) == 0) != (a == b) {
			t.Fatalf("%s and %s: compare says %d", a, b, a.Compare(b))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s ≤ %s ≤ %s, and yet the first is after the last", a, b, c)
		}
	})
}

func TestFileNumber(t *testing.T) {
	cases := map[string]struct {
		file string
		want uint64
	}{
		"six digits":                 {"binlog.000012", 12},
		"more than six digits":       {"binlog.1000000", 1000000},
		"the largest the server has": {"binlog.2147483647", 2147483647},
		"no number":                  {"binlog.index", 0},
		"no dot":                     {"binlog", 0},
		"nothing behind the dot":     {"binlog.", 0},
		"no name":                    {"", 0},
		"a number too large":         {"binlog.99999999999999999999999", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := FileNumber(c.file); got != c.want {
				t.Errorf("%q: got %d, want %d", c.file, got, c.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	cases := map[string]struct{ got, want string }{
		"a position":                     {Position{"binlog.000003", 1 << 33}.String(), "binlog.000003:8589934592"},
		"a checkpoint without GTIDs":     {Checkpoint{Pos: Position{"binlog.000003", 4}}.String(), "binlog.000003:4"},
		"a checkpoint with GTIDs":        {Checkpoint{Pos: Position{"binlog.000003", 4}, GTIDs: "u:1"}.String(), "binlog.000003:4 (GTIDs u:1)"},
		"an insert":                      {Insert.String(), "INSERT"},
		"a delete":                       {Delete.String(), "DELETE"},
		"an operation that there is not": {Op(77).String(), "?"},
		"no operation":                   {Op(0).String(), "?"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParsePosition(t *testing.T) {
	for text, want := range map[string]Position{
		"binlog.000003:4711":           {File: "binlog.000003", Pos: 4711},
		"c:/logs/mysql-bin.1000000:4":  {File: "c:/logs/mysql-bin.1000000", Pos: 4},
		"binlog.000001:18446744073709": {File: "binlog.000001", Pos: 18446744073709},
	} {
		got, err := ParsePosition(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":4", "binlog.000003", "binlog.000003:", "binlog.000003:-1", "shop:4", "binlog.000003:x"} {
		if got, err := ParsePosition(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
