package cases

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/compatibility.md says what cases show: each name there is a case, each case is there, and the codes agree.
func TestCompatibilityPageNamesTheCases(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Load("../../testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{} // A line per case that it names.
	name := regexp.MustCompile("`([a-z]+-[a-z0-9-]+)`")
	_, details, _ := strings.Cut(string(page), matrixEnd) // The tables before it are TestMatrix's.
	for line := range strings.Lines(details) {
		for _, found := range name.FindAllStringSubmatch(line, -1) {
			lines[found[1]] = line
		}
	}
	for _, c := range all {
		line, named := lines[c.Name]
		switch refused := strings.Contains(line, "refused: "); {
		case !named:
			t.Errorf("case %s is not in docs/compatibility.md", c.Name)
		case refused != (c.Refuse != "") || !strings.Contains(line, c.Refuse):
			t.Errorf("case %s (%q) stands in another line: %s", c.Name, c.Refuse, line)
		}
		delete(lines, c.Name)
	}
	for name := range lines {
		t.Errorf("docs/compatibility.md names %s, which is no case", name)
	}
}

// The tables at a glance stand between these.
const (
	matrixBegin = "<!-- from the cases: BINSEAL_UPDATE=1 go test -run TestMatrix ./internal/cases -->\n"
	matrixEnd   = "<!-- end -->\n"
)

// The tables at a glance are what the cases say: a case that is added, or runs on a further source, changes them.
func TestMatrix(t *testing.T) {
	const path = "../../docs/compatibility.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Load("../../testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	named := []string{}
	for _, l := range typeLines {
		named = slices.Concat(named, l.full, l.partial, l.packed)
	}
	for _, l := range statementLines {
		named = append(named, l.cases...)
	}
	for _, name := range named {
		if !slices.ContainsFunc(all, func(c Case) bool { return c.Name == name }) {
			t.Errorf("the tables name %s, which is no case", name)
		}
	}
	before, rest, begins := strings.Cut(string(page), matrixBegin)
	got, behind, ends := strings.Cut(rest, matrixEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the tables", path)
	}
	want := Matrix(all)
	if os.Getenv("BINSEAL_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+matrixBegin+want+matrixEnd+behind), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not what the cases say; write it with BINSEAL_UPDATE=1 go test -run TestMatrix ./internal/cases (-cases +page):\n%s", path, diff)
	}
}

func TestCell(t *testing.T) {
	known := map[string]Case{
		"a": {Name: "a", Sources: []string{"mysql", "mariadb"}},
		"b": {Name: "b", Sources: []string{"mysql"}},
		"c": {Name: "c", Sources: []string{"mysql"}, Refuse: "BS-X"},
	}
	for source, want := range map[string]string{
		"mysql":   "carried: `a`, `b`; refused, BS-X: `c`",
		"mariadb": "carried: `a`",
		"mysql56": "–",
	} {
		if got := (cell{source, []string{"c", "a", "b", "gone"}}).text(known); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
