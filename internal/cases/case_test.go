package cases

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := parse("-- # a remark\nSELECT 1,\n  -- part of it\n  2;\n\n-- session: b\n-- expect-error\nSELECT ';' ;\n-- restart daemon\n-- refused\nEND;\n")
	want := []Step{{SQL: "SELECT 1,\n  -- part of it\n  2", Session: "1"}, {SQL: "SELECT ';' ", Session: "b", Fails: true},
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
