package archtest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// waysOut names, for each code that halts the stream and that no data case refuses with, the test which halts with it,
// takes the operator's step of docs/errors.md, and sees the stream go on with nothing lost. Where no such test can be
// had here, it says why, and what shows the halt.
var waysOut = map[string]string{
	"BS-BINLOG-PURGED":       "TestWaysOut",
	"BS-CASCADES":            "TestCascadesOutsideOfInnoDBAreRefused",
	"BS-CHECKSUM":            "TestWaysOut",
	"BS-CONFIG-CHANGED":      "TestWaysOut",
	"BS-EVENT-MALFORMED":     "TestWaysOut",
	"BS-EVENT-UNKNOWN":       "TestWaysOut",
	"BS-EVENT-UNSUPPORTED":   "TestWaysOut",
	"BS-FENCED":              "TestWaysOut",
	"BS-GTID-MODE":           "TestWaysOut",
	"BS-GTID-ORDER":          "TestGTIDOrderOfMariaDB",
	"BS-HALF-DONE":           "TestWaysOut",
	"BS-INCIDENT":            "TestWaysOut",
	"BS-POSITION-INVALID":    "TestWaysOut",
	"BS-PROGRESS-CORRUPT":    "TestWaysOut",
	"BS-TARGET-LOST-COMMITS": "TestWaysOut",
	"BS-XA-TOO-LARGE":        "TestTooManyUndecidedXA",
	"BS-XA-UNKNOWN":          "TestWaysOut",
	"BS-XA-UNSUPPORTED":      "only for what no server of today logs; replicator's TestXA shows the halt",
	"BS-SERVER-ID-CLASH":     "TestServerIDClash",
	"BS-DDL-UNPARSABLE":      "TestWaysOut",
	"BS-NAME-CASE":           "TestNamesComparedDifferentlyAreRefused",
	"BS-DDL-DOUBT":           "TestRulesLetTheStreamGoOn",
	"BS-DDL-TIMEZONE":        "TestDDLInTheTimeZoneOfTheSourcesMachine",
	"BS-SOURCE-BEHIND":       "TestReplicaThatLagsIsRefused",
	"BS-SOURCE-CHANGED":      "TestServerOfAnotherHistoryIsRefused",
	"BS-DEMO":                "not a stream's: the demo's own end",
}

// A case that refuses goes on by its operator's step: package cases holds that. Every other code of class 4 has its
// test, which names it.
func TestEveryHaltHasAWayOut(t *testing.T) {
	refused := refusedByCases(t)
	tests := testsByName(t)
	for _, m := range errorRow.FindAllStringSubmatch(page(t, "docs/errors.md"), -1) {
		code, classes := m[1], m[2]
		shown, named := waysOut[code]
		switch {
		case !strings.Contains(classes, "4"):
			if named {
				t.Errorf("%s has class %s: it does not halt", code, classes)
			}
		case !named && !refused[code]:
			t.Errorf("%s halts, and neither a case nor a test shows what to do then", code)
		case named && strings.HasPrefix(shown, "Test") && !strings.Contains(tests[shown], `"`+code+`"`):
			t.Errorf("%s: %s is no test that names it", code, shown)
		}
	}
	listed := page(t, "docs/errors.md")
	for _, code := range slices.Sorted(maps.Keys(waysOut)) {
		if !strings.Contains(listed, "`"+code+"`") {
			t.Errorf("%s is not in docs/errors.md", code)
		}
	}
}

var refuseLine = regexp.MustCompile(`(?m)^refuse: (BS-[A-Z-]+)`)

// refusedByCases are the codes that data cases expect.
func refusedByCases(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleRoot(t), "testdata", "cases", "*", "expect"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	codes := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range refuseLine.FindAllStringSubmatch(string(text), -1) {
			codes[m[1]] = true
		}
	}
	return codes
}

var testHead = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsByName gives the text of each test function of the chaos package, up to the next function's head.
func testsByName(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleRoot(t), "internal", "chaos", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range testHead.FindAllStringSubmatchIndex(string(text), -1) {
			body := string(text[at[0]:])
			if end := strings.Index(body, "\n}\n"); end > 0 {
				body = body[:end]
			}
			tests[string(text[at[2]:at[3]])] = body
		}
	}
	return tests
}
