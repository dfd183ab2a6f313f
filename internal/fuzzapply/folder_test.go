package fuzzapply

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/binseal/binseal/internal/cases"
)

// What the generator draws is a case that internal/cases reads, with its routes; each XA transaction that it leaves
// prepared is decided; and all of its kinds come up.
func TestCasesBecomeFolders(t *testing.T) {
	facts := &Facts{
		Collations: []Collation{{"utf8mb4_0900_ai_ci", "utf8mb4"}, {"utf8mb3_general_ci", "utf8mb3"}, {"latin1_swedish_ci", "latin1"}},
		Pieces:     map[string][]Piece{},
	}
	for _, c := range facts.Collations {
		facts.Pieces[c.Charset] = []Piece{{Text: "a", Bytes: []byte("a"), Characters: 1}, {Text: "B", Bytes: []byte("B"), Characters: 1}}
	}
	kinds := []string{"XA START", "XA PREPARE", "XA COMMIT", "XA ROLLBACK", "SAVEPOINT", "ROLLBACK TO", "TRUNCATE", "ALTER TABLE", "SET binlog_row_image"}
	generator, dir, seen := facts.Generator(), t.TempDir(), map[string]int{}
	for seed := range 150 {
		c := generator.Example(seed)
		name := fmt.Sprintf("found-%d", seed)
		if err := c.Folder(filepath.Join(dir, name), "why", nil, nil, "ALTER TABLE `${schema}`.`t0` MODIFY COLUMN `c2` int FIRST"); err != nil {
			t.Fatal(err)
		}
		open := map[string]bool{} // Names of prepared XA transactions.
		for _, s := range c.Changes {
			for _, word := range kinds {
				if strings.HasPrefix(s.SQL, word) {
					seen[word]++
				}
			}
			if name, ok := strings.CutPrefix(s.SQL, "XA PREPARE "); ok {
				open[name] = true
			}
			for _, outcome := range []string{"XA COMMIT ", "XA ROLLBACK "} {
				if name, ok := strings.CutPrefix(s.SQL, outcome); ok {
					delete(open, name)
				}
			}
		}
		seen[fmt.Sprintf("routes %d", c.Routes)]++
		seen[fmt.Sprintf("by name %v", c.ByName)]++
		if len(open) > 0 {
			t.Errorf("seed %d leaves %d XA transactions prepared", seed, len(open))
		}
	}
	all, err := cases.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if want := c.Config.Given(); want != strings.Contains(fmt.Sprint(c.Config.Rename), "c_found") {
			t.Errorf("case %d: routes %v", i, c.Config.Rename)
		}
	}
	for _, kind := range append(kinds, "routes 0", "routes 1", "routes 2", "routes 3", "by name true", "by name false") {
		if seen[kind] == 0 {
			t.Errorf("%s: never drawn", kind)
		}
	}
}
