package fuzzapply

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder writes a case as testdata/cases has them. failed are the indexes of the changes, and of the statements of
// the setup, that the source refused: a case names them, the generator does not know them. Nor does it know moves, the
// statements by which ByName was done on the target.
func (c Case) Folder(dir, why string, failedSetup, failedChanges map[int]bool, moves ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	expect, setup := "equal\n", c.setupText(failedSetup)
	if c.ByName {
		expect += "columns: by name\n"
	}
	for _, move := range moves {
		setup += "-- target: " + move + "\n"
	}
	files := map[string]string{"expect": expect + "# " + strings.ReplaceAll(why, "\n", "\n# ") + "\n", "setup.sql": setup, "changes.sql": c.changesText(failedChanges)}
	if routes := RouteSets[c.Routes]; len(routes) > 0 {
		files["rename"] = strings.Join(routes, "\n") + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c Case) setupText(failed map[int]bool) string {
	var b strings.Builder
	for i, sql := range c.Setup {
		write(&b, sql, failed[i])
	}
	return b.String()
}

func (c Case) changesText(failed map[int]bool) string {
	var b strings.Builder
	session := 1
	for i, s := range c.Changes {
		if s.Session != session {
			session = s.Session
			fmt.Fprintf(&b, "-- session: %d\n", session)
		}
		write(&b, s.SQL, failed[i])
		if c.Kill && i == len(c.Changes)/2 {
			b.WriteString("-- restart daemon\n")
		}
	}
	return b.String()
}

func write(b *strings.Builder, sql string, fails bool) {
	if fails {
		b.WriteString("-- expect-error\n")
	}
	b.WriteString(sql + ";\n")
}
