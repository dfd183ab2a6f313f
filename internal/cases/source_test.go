package cases

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/binseal/binseal/internal/testmysql"
)

// EnvSource is the environment variable that chooses the source server: one of Sources; default those that need nothing
// but Debian's packages.
const EnvSource = "BINSEAL_SOURCE"

// startSource starts a source for a mode. Not every mode has a server of its own: starters give the same options for
// both, or what the modes should see differently.
var startSource = map[string]func(t *testing.T, mode string) *testmysql.Server{
	"mysql":   startMySQL,
	"mysql56": startMySQL56,
	"mariadb": startMariaDB,
}

// sourceNames are the chosen sources.
func sourceNames(t *testing.T) []string {
	t.Helper()
	name := os.Getenv(EnvSource)
	if name == "" {
		return []string{defaultSource, "mariadb"}
	}
	if !slices.Contains(Sources, name) {
		t.Fatalf("%s=%s: not one of %s", EnvSource, name, strings.Join(Sources, ", "))
	}
	return []string{name}
}

func startMySQL(t *testing.T, _ string) *testmysql.Server {
	t.Helper()
	o := testmysql.SourceOptions()
	o.Extra = []string{"--max-allowed-packet=64M", "--lock-wait-timeout=20"}
	return testmysql.StartT(t, o)
}

// startMySQL56 has GTIDs in strict mode and positions in split mode, since 5.6 cannot be switched while it runs.
func startMySQL56(t *testing.T, mode string) *testmysql.Server {
	t.Helper()
	o := testmysql.Source56Options(mode == "strict")
	o.Extra = []string{"--max-allowed-packet=64M", "--lock-wait-timeout=20", "--innodb-log-file-size=128M"}
	return testmysql.StartT(t, o)
}

func startMariaDB(t *testing.T, _ string) *testmysql.Server {
	t.Helper()
	o := testmysql.MariaDBSourceOptions()
	o.Extra = []string{"--max-allowed-packet=64M", "--lock-wait-timeout=20"}
	return testmysql.StartT(t, o)
}

// Each source that a case may name can be started.
func TestEachSourceHasAStarter(t *testing.T) {
	for _, name := range Sources {
		if startSource[name] == nil {
			t.Errorf("no starter for %s", name)
		}
	}
	if len(startSource) != len(Sources) {
		t.Errorf("%d starters for %d sources", len(startSource), len(Sources))
	}
}
