package archtest

import (
	"encoding/hex"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

var (
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	codePath  = regexp.MustCompile("`((?:[a-z]+/)+[a-z_]+\\.go)`")
	link      = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	logKeyRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// What the pages name exists: tests, files of the code, and pages that they link to.
func TestPagesNameWhatExists(t *testing.T) {
	tests := map[string]bool{}
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.code, p.tests) {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					tests[fn.Name.Name] = true
				}
			}
		}
	}
	root := moduleRoot(t)
	for path, text := range pages(t) {
		for _, name := range testName.FindAllString(text, -1) {
			if !tests[name] {
				t.Errorf("%s names %s, which is no test", path, name)
			}
		}
		for _, m := range codePath.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s: %v", path, m[1], err)
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
}

// pages reads README.md and everything below docs.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"README.md": page(t, "README.md")}
	root := moduleRoot(t)
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			relative, _ := filepath.Rel(root, path)
			all[filepath.ToSlash(relative)] = page(t, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Log messages are constant and lower case, and their keys come from the one list in docs/logging.md (STYLE.md).
func TestLogKeysAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range logKeyRow.FindAllStringSubmatch(page(t, "docs/logging.md"), -1) {
		listed[m[1]] = true
	}
	used := map[string]bool{}
	for _, p := range packages(t) {
		for _, f := range p.code {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && logs(call) {
					checkLogCall(t, f.path, call, used)
				}
				return true
			})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(used)) {
		if !listed[key] {
			t.Errorf("log key %q is not in docs/logging.md", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(listed)) {
		if !used[key] {
			t.Errorf("docs/logging.md lists %q, which nothing logs", key)
		}
	}
}

// logs reports a call of a logger's method.
func logs(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
		return false
	}
	switch x := method.X.(type) {
	case *ast.Ident:
		return x.Name == "logger" || x.Name == "slog"
	case *ast.SelectorExpr:
		return strings.EqualFold(x.Sel.Name, "logger")
	}
	return false
}

func checkLogCall(t *testing.T, path string, call *ast.CallExpr, used map[string]bool) {
	t.Helper()
	for i := 0; i < len(call.Args); i++ {
		if i > 0 && i%2 == 0 {
			continue // A value.
		}
		lit, ok := call.Args[i].(*ast.BasicLit)
		if !ok {
			t.Errorf("%s: a log call whose message or key is not constant", path)
			return
		}
		text := strings.Trim(lit.Value, `"`)
		switch {
		case i == 0 && text != "" && strings.ToLower(text[:1]) != text[:1]:
			t.Errorf("%s: log message %q is not lower case", path, text)
		case i > 0 && !snakeCase.MatchString(text):
			t.Errorf("%s: log key %q is not snake_case", path, text)
		case i > 0:
			used[text] = true
		}
	}
}

// The config that the README shows is one that binseal takes.
func TestReadmesConfigIsValid(t *testing.T) {
	_, rest, _ := strings.Cut(page(t, "README.md"), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("README.md shows no config")
	}
	if _, err := config.Parse("README.md", []byte(text)); err != nil {
		t.Error(err)
	}
}

// The bytes and the SQL of docs/follow-a-row.md were taken from real servers. Here they are what the code makes.
func TestFollowedRow(t *testing.T) {
	text := page(t, "docs/follow-a-row.md")
	bytesOf := func(shown string) []byte {
		if !strings.Contains(text, shown) {
			t.Errorf("the page does not show %q", shown)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(shown, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	body := bytesOf("7e 00 00 00 00 00  01 00  04 73 68 6f 70 00  07 62 61 73 6b 65 74 73 00  04  03 0f 02 0f  04 50 00 a0 00  08  01 01 00  02 03 fc ff 00  04 11 02 69 64 04 69 74 65 6d 03 71 74 79 04 6e 6f 74 65  08 01 00  0c 01 f0")
	_, source, err := rowimage.ParseTableMap(body)
	if err != nil {
		t.Fatal(err)
	}
	identity := &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	layout, err := rowimage.Bind(source, &schema.Table{Schema: "shop", Name: "baskets", Engine: "InnoDB", Identity: identity, Columns: []schema.Column{
		{Name: "id", DataType: "int", ColumnType: "int"},
		{Name: "item", DataType: "varchar", ColumnType: "varchar(20)", Charset: "utf8mb4", CollationID: 255, MaxBytes: 80},
		{Name: "qty", DataType: "smallint", ColumnType: "smallint"},
		{Name: "note", DataType: "varchar", ColumnType: "varchar(40)", Nullable: true, Charset: "utf8mb4", CollationID: 255, MaxBytes: 160},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows := bytesOf("7e 00 00 00 00 00  11 00  02 00  04  ff  ff  08 07 00 00 00 03 74 65 61 02 00  08 07 00 00 00 03 74 65 61 03 00")
	const updateRows = 31
	e, err := rowimage.ParseRowsHeader(updateRows, rows)
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.Header(source)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := rowimage.Split(h, e.Data, nil)
	if err != nil || len(changes) != 1 || h.Op != change.Update || !h.Full {
		t.Fatalf("%d rows of %s, full %v: %v", len(changes), h.Op, h.Full, err)
	}
	key, _, err := layout.AppendKey(nil, changes[0].Before, identity)
	if err != nil || string(key) != string(bytesOf("80 00 00 07")) {
		t.Errorf("key % x: %v", key, err)
	}
	last := bytesOf("00 07 00 00 00 03 74 65 61 03 00 04 67 69 66 74")
	set, changed, err := layout.AppendSet([]byte("UPDATE /* binseal applier */ "+layout.Table().QuotedName()+" SET "), changes[0].Before, last)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	statement, err := layout.AppendIdentityMatch(append(set, " WHERE "...), changes[0].Before)
	if err != nil || !strings.Contains(text, string(statement)) {
		t.Errorf("the page does not show %s: %v", statement, err)
	}
}
