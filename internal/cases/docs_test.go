package cases

import (
	"os"
	"regexp"
	"strings"
	"testing"
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
	for line := range strings.Lines(string(page)) {
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
