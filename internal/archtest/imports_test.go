package archtest

import (
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/binseal/binseal"

// anything allows every package of the module except cmd.
var anything = []string{"*"}

// mayImport is DESIGN.md §4: folder → the folders of this module that its code (tests apart) may import. Data flows
// down; nothing imports upward. "change" is the vocabulary and open to all. A new folder needs a line here, so
// that somebody decides where in the flow it stands.
var mayImport = map[string][]string{
	"cmd/binseal": anything,
	"change":      {},
	"rowimage":    {"schema"},
	"tlsconf":     {},
	"awscloud":    {},
	"grants":      {},
	"startpos":    {},
	"evidence":    {"mysqlconn", "tlsconf"},
	"mysqlconn":   {"tlsconf"},
	"schema":      {},
	"checkpoint":  {"mysqlconn", "internal/crashpoint"},
	"replicator":  {"schema", "rowimage", "mysqlconn"},
	"applier":     {"schema", "rowimage", "checkpoint", "mysqlconn", "internal/crashpoint"},
	"snapshot":    {"schema", "rowimage", "checkpoint", "mysqlconn"},
	"verify":      {"schema", "mysqlconn"},
	"stream":      {"replicator", "applier", "checkpoint", "schema", "mysqlconn", "tlsconf", "internal/crashpoint"},
	"preflight":   {"grants", "schema", "mysqlconn", "tlsconf"},
	"cutover":     {"mysqlconn", "verify"},
	"httpapi":     {"stream"},
	"config":      {"tlsconf", "mysqlconn", "schema", "httpapi", "applier", "replicator", "stream"},
	"bench":       anything,
	"bench/run":   {"bench", "internal/testmysql"},

	"internal/archtest":   {},
	"internal/cases":      {},
	"internal/chaos":      anything, // Kills daemons and compares; drives the whole as an operator would.
	"internal/crashpoint": {},       // Fault points for tests: does nothing in a production build's normal run.
	"internal/demo":       anything,
	"internal/faultproxy": {},
	"internal/fuzzapply":  {}, // Makes random cases; its test runs them.
	"internal/testaws":    {},
	"internal/testmysql":  {"grants"},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		allowed, known := mayImport[p.folder]
		if !known {
			if len(p.code) > 0 {
				t.Errorf("folder %s is not in the table of DESIGN.md §4: add it to mayImport, with what it may import", p.folder)
			}
			continue
		}
		for _, f := range p.code {
			for _, spec := range f.syntax.Imports {
				if folder, ours := ourFolder(spec.Path.Value); ours && !permits(allowed, folder) {
					t.Errorf("%s imports %s: DESIGN.md §4 lets %s import change%s", f.path, folder, p.folder, listed(allowed))
				}
			}
		}
	}
}

// Tests may reach for any package, so that a stage can be fed by the real one before it; never for a command.
func TestNothingImportsCommands(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.code, p.tests) {
			for _, spec := range f.syntax.Imports {
				if folder, ours := ourFolder(spec.Path.Value); ours && strings.HasPrefix(folder, "cmd/") {
					t.Errorf("%s imports %s: commands are the top", f.path, folder)
				}
			}
		}
	}
}

// Some libraries have one door each (STYLE.md, Libraries; DESIGN.md §4).
func TestLibrariesWithOneDoor(t *testing.T) {
	doors := map[string][]string{
		"github.com/pingcap/tidb/":          {"schema"},
		"vitess.io/vitess/":                 {"schema"},
		"github.com/goccy/go-yaml":          {"config"},
		"github.com/alecthomas/kong":        {"cmd/binseal", "bench/run"},
		"github.com/aws/aws-sdk-go-v2":      {"awscloud"},
		"github.com/go-mysql-org/go-mysql/": {"change", "mysqlconn", "replicator"},
	}
	for _, p := range packages(t) {
		for _, f := range p.code {
			for _, spec := range f.syntax.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				for prefix, folders := range doors {
					if strings.HasPrefix(path, prefix) && !slices.Contains(folders, p.folder) {
						t.Errorf("%s imports %s: only %s may", f.path, path, strings.Join(folders, ", "))
					}
				}
			}
		}
	}
}

// ourFolder gives the folder of an import of this module.
func ourFolder(quoted string) (folder string, ours bool) {
	return strings.CutPrefix(strings.Trim(quoted, `"`), modulePath+"/")
}

func permits(allowed []string, folder string) bool {
	if slices.Equal(allowed, anything) {
		return !strings.HasPrefix(folder, "cmd/")
	}
	return folder == "change" || slices.Contains(allowed, folder)
}

func listed(allowed []string) string {
	if len(allowed) == 0 {
		return " alone"
	}
	return ", " + strings.Join(allowed, ", ")
}

func TestPermits(t *testing.T) {
	for name, test := range map[string]struct {
		allowed []string
		folder  string
		want    bool
	}{
		"the vocabulary is open to all":          {nil, "change", true},
		"a listed folder is permitted":           {[]string{"schema"}, "schema", true},
		"another folder is not":                  {[]string{"schema"}, "applier", false},
		"a folder below a listed one is not":     {[]string{"schema"}, "schema/inner", false},
		"anything takes every package":           {anything, "applier", true},
		"anything does not take a command":       {anything, "cmd/binseal", false},
		"an empty list takes nothing but change": {[]string{}, "tlsconf", false},
	} {
		if got := permits(test.allowed, test.folder); got != test.want {
			t.Errorf("%s: permits(%v, %s) = %v, want %v", name, test.allowed, test.folder, got, test.want)
		}
	}
}
