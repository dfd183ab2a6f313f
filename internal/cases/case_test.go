package cases

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/binseal/binseal/internal/chaos"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := parse("-- # a remark\n-- target-none: SELECT 2\nSELECT 1,\n  -- part of it\n  2;\n\n-- session: b\n-- expect-error\nSELECT ';' ;\n-- restart daemon\n-- refused\nEND;\n")
	want := []Step{{Kind: Nothing, SQL: "SELECT 2"}, {SQL: "SELECT 1,\n  -- part of it\n  2", Session: "1"}, {SQL: "SELECT ';' ", Session: "b", Fails: true},
		{Kind: Restart}, {Kind: Refused}, {SQL: "END", Session: "b"}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("error %v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	for name, text := range map[string]string{"an unknown directive": "-- sesion: 2\n", "an open end": "SELECT 1\n"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestExpect(t *testing.T) {
	for text, want := range map[string]Case{
		"equal\nquick\n# why":               {Quick: true, Sources: []string{"mysql"}},
		"refuse: BS-DDL-UNSUPPORTED\n":      {Refuse: "BS-DDL-UNSUPPORTED", Sources: []string{"mysql"}},
		"equal\ncolumns: by name\n":         {ByName: true, Sources: []string{"mysql"}},
		"equal\nmodes: split\n":             {SplitOnly: true, Sources: []string{"mysql"}},
		"equal\nsources: mysql56 mariadb\n": {Sources: []string{"mysql56", "mariadb"}},
	} {
		var got Case
		if err := got.expect(text); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: error %v (-want +got):\n%s", text, err, cmp.Diff(want, got))
		}
	}
	for _, text := range []string{"", "quick", "same", "refuse: because", "equal\nsources: mysql55"} {
		if err := new(Case).expect(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestConfigOnTarget(t *testing.T) {
	folder := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(folder, "rename"), []byte("${schema} -> ${schema}_new\n${schema}.t -> x.u\n"), 0o600))
	c, err := loadConfig(folder, "c_a")
	if err != nil || !c.Given() {
		t.Fatal(c, err)
	}
	for from, want := range map[[2]string][2]string{{"c_a", ""}: {"c_a_new", ""}, {"c_a", "t"}: {"x", "u"}, {"c_a", "v"}: {"c_a_new", "v"}, {"b", "t"}: {"b", "t"}} {
		rig := chaos.Rig{Rename: c.Rename}
		if database, table := rig.OnTarget(from[0], from[1]); [2]string{database, table} != want {
			t.Errorf("%v: %s.%s, want %v", from, database, table, want)
		}
	}
	must(os.WriteFile(filepath.Join(folder, "rename"), []byte("a = b\n"), 0o600))
	if _, err := loadConfig(folder, "c_a"); err == nil {
		t.Error("a line without an arrow is taken")
	}
}

// A refusal says how the stream goes on behind it.
func TestComplete(t *testing.T) {
	whole := []Step{{Kind: Refused}, {Kind: Halted}, {Kind: Skip}, {Kind: Resume}}
	for name, c := range map[string]struct {
		refuse string
		steps  []Step
		ok     bool
	}{
		"a refusal with its way out":       {"BS-X", whole, true},
		"a refusal that nobody resumes":    {"BS-X", whole[:2], false},
		"a refusal that has no place":      {"BS-X", whole[1:], false},
		"an equal case":                    {"", nil, true},
		"an equal case that awaits a halt": {"", whole, false},
	} {
		if err := (&Case{Refuse: c.refuse, Changes: c.steps}).complete(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
