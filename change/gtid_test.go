package change

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

const (
	uuidA = "11111111-1111-1111-1111-111111111111"
	uuidB = "22222222-2222-2222-2222-222222222222"
)

// model is a GTID set as a plain set of names.
type model map[GTID]bool

func (m model) union(o model) model {
	u := model{}
	for g := range m {
		u[g] = true
	}
	for g := range o {
		u[g] = true
	}
	return u
}

// missing is |m − o|.
func (m model) missing(o model) int64 {
	var n int64
	for g := range m {
		if !o[g] {
			n++
		}
	}
	return n
}

// gtids draws from few names, so that sets meet, leave gaps and fill them.
var gtids = rapid.Custom(func(t *rapid.T) GTID {
	return GTID{
		UUID: uuid.MustParse(rapid.SampledFrom([]string{uuidA, uuidB}).Draw(t, "uuid")),
		Tag:  rapid.SampledFrom([]string{"", "", "blue", "green"}).Draw(t, "tag"),
		GNO:  rapid.Int64Range(1, 12).Draw(t, "number"),
	}
})

func drawSet(t *rapid.T, label string) (GTIDSet, model) {
	var s GTIDSet
	m := model{}
	for _, g := range rapid.SliceOfN(gtids, 0, 20).Draw(t, label) {
		s.Add(g)
		m[g] = true
	}
	return s, m
}

// agree holds a set against its model, and through its text.
func agree(t *rapid.T, s GTIDSet, m model) {
	t.Helper()
	if s.Count() != int64(len(m)) {
		t.Fatalf("%s counts %d, want %d", s, s.Count(), len(m))
	}
	if s.IsEmpty() != (len(m) == 0) {
		t.Fatalf("%q is empty: %v", s, s.IsEmpty())
	}
	for _, id := range []string{uuidA, uuidB} {
		for _, tag := range []string{"", "blue", "green", "red"} {
			for gno := int64(0); gno <= 13; gno++ {
				g := GTID{UUID: uuid.MustParse(id), Tag: tag, GNO: gno}
				if s.Has(g) != m[g] {
					t.Fatalf("%s has %s: %v, want %v", s, g, s.Has(g), m[g])
				}
			}
		}
	}
	again, err := ParseGTIDSet(s.String())
	if err != nil {
		t.Fatalf("parse %q: %v", s, err)
	}
	if again.String() != s.String() || !again.Contains(s) || !s.Contains(again) {
		t.Fatalf("%q comes back as %q", s, again)
	}
}

func TestGTIDSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ma := drawSet(t, "a")
		b, mb := drawSet(t, "b")
		agree(t, a, ma)
		if got, want := a.CountMissing(b), ma.missing(mb); got != want {
			t.Fatalf("|%s − %s|: got %d, want %d", a, b, got, want)
		}
		if got, want := a.Contains(b), mb.missing(ma) == 0; got != want {
			t.Fatalf("%s contains %s: got %v, want %v", a, b, got, want)
		}
		union := a.Clone()
		union.Union(b)
		agree(t, union, ma.union(mb))
		agree(t, a, ma) // Neither operand has changed.
		agree(t, b, mb)
		g := gtids.Draw(t, "added to the union")
		union.Add(g)
		agree(t, a, ma) // Nor do they share memory with the union.
		agree(t, b, mb)
		if native, _ := ParseGTIDSet(a.Native().String()); native.String() != a.String() {
			t.Fatalf("handed over as %q, want %q", native, a)
		}
	})
}

func TestParseGTIDSet(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"nothing":                               {"", ""},
		"blanks":                                {" \n ", ""},
		"one":                                   {uuidA + ":1", uuidA + ":1"},
		"upper case":                            {strings.ToUpper(strings.ReplaceAll(uuidA, "1", "a")) + ":1", strings.ReplaceAll(uuidA, "1", "a") + ":1"},
		"line breaks as the server prints them": {uuidB + ":1-3,\n" + uuidA + ":7", uuidA + ":7," + uuidB + ":1-3"},
		"line breaks of a file":                 {uuidA + ":1-3,\r\n" + uuidB + ":7\r\n", uuidA + ":1-3," + uuidB + ":7"},
		"gaps":                                  {uuidA + ":1-3:5:9-10", uuidA + ":1-3:5:9-10"},
		"neighbours and overlaps join":          {uuidA + ":4-6:1-3:5-9", uuidA + ":1-9"},
		"the same server twice":                 {uuidA + ":1-2," + uuidA + ":3", uuidA + ":1-3"},
		"tags":                                  {uuidA + ":1-3:blue:1:green:4-5", uuidA + ":1-3:blue:1:green:4-5"},
		"a tag in upper case":                   {uuidA + ":Blue:1", uuidA + ":blue:1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := ParseGTIDSet(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{"x", uuidA, uuidA + ":", uuidA + ":blue", uuidA + ":1-", uuidA + ":5-3", uuidA + ":0", uuidA + ":-1", "not-a-uuid:1", uuidA + ":1,,"} {
		t.Run("refused: "+bad, func(t *testing.T) {
			if s, err := ParseGTIDSet(bad); err == nil {
				t.Errorf("taken as %q", s)
			}
		})
	}
}

func TestZeroGTIDSet(t *testing.T) {
	var zero, one GTIDSet
	one.Add(GTID{UUID: uuid.MustParse(uuidA), GNO: 1})
	zero.Add(GTID{}) // A transaction without a GTID changes nothing.
	if !zero.IsEmpty() || zero.Count() != 0 || zero.String() != "" {
		t.Errorf("the zero set is %q", zero)
	}
	if !one.Contains(zero) || !zero.Contains(zero) || zero.Contains(one) {
		t.Error("every set contains the empty one, and only that")
	}
	if zero.CountMissing(one) != 0 || one.CountMissing(zero) != 1 {
		t.Error("distance to the empty set")
	}
	if zero.Clone().String() != "" || zero.Native().String() != "" {
		t.Error("copies of the zero set")
	}
	zero.Union(GTIDSet{})
	if !zero.IsEmpty() {
		t.Error("the union of nothing with nothing is something")
	}
	if len(GTIDSet{}.Encode()) != 8 { // The number of servers, 0.
		t.Errorf("encoded as %x", GTIDSet{}.Encode())
	}
}

func TestGTIDText(t *testing.T) {
	id := uuid.MustParse(uuidA)
	cases := map[string]struct {
		gtid GTID
		want string
	}{
		"none":       {GTID{}, ""},
		"no tag":     {GTID{UUID: id, GNO: 7}, uuidA + ":7"},
		"with a tag": {GTID{UUID: id, Tag: "blue", GNO: 7}, uuidA + ":blue:7"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.gtid.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func BenchmarkCountMissing(b *testing.B) {
	var text []string
	for i := range 1000 {
		text = append(text, fmt.Sprint(10*i+1, "-", 10*i+5))
	}
	s, err := ParseGTIDSet(uuidA + ":" + strings.Join(text, ":"))
	if err != nil {
		b.Fatal(err)
	}
	o := s.Clone()
	for b.Loop() {
		s.CountMissing(o)
	}
}
