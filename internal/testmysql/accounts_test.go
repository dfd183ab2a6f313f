package testmysql

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The accounts of the tests are those that docs/operations.md tells to make, statement by statement: what the suite shows,
// it shows with these privileges and no more.
func TestAccountsAreTheDocumentedOnes(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, made := range map[string][]string{
		"\nOn the source:\n":       (&Server{Kind: Newest}).replicationUser("repl", "…"),
		"\n### A MariaDB source\n": (&Server{Kind: MariaDB}).replicationUser("repl", "…"),
		"\nOn the target, ":        (&Server{Kind: Newest}).applierUser("applier", "…", "shop"),
	} {
		_, section, _ := strings.Cut(string(page), heading)
		_, block, _ := strings.Cut(section, "```sql\n")
		block, _, _ = strings.Cut(block, "```")
		var documented []string
		for line := range strings.Lines(block) {
			statement, _, _ := strings.Cut(line, ";")
			documented = append(documented, statement)
		}
		if diff := cmp.Diff(documented, made); diff != "" {
			t.Errorf("%q (-documented +made):\n%s", heading, diff)
		}
	}
}
