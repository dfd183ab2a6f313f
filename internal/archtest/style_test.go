package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits of STYLE.md.
const (
	maxFileLines     = 600
	maxFunctionLines = 100
)

// source is one parsed file.
type source struct {
	path   string // Relative to the module's root.
	lines  int
	syntax *ast.File
	fset   *token.FileSet
}

// pkg is one folder with Go files.
type pkg struct {
	folder      string
	code, tests []source
}

// packages parses the module's own Go files.
func packages(t *testing.T) []pkg {
	t.Helper()
	root := moduleRoot(t)
	found := map[string]*pkg{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(relative))
		if found[folder] == nil {
			found[folder] = &pkg{folder: folder}
		}
		file := parse(t, path, relative)
		if strings.HasSuffix(name, "_test.go") {
			found[folder].tests = append(found[folder].tests, file)
		} else {
			found[folder].code = append(found[folder].code, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no Go files below %s: the test looks at the wrong place", root)
	}
	var out []pkg
	for _, p := range found {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b pkg) int { return strings.Compare(a.folder, b.folder) })
	return out
}

func parse(t *testing.T, path, relative string) source {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s: %v", relative, err)
	}
	return source{path: relative, lines: strings.Count(string(text), "\n"), syntax: file, fset: fset}
}

// moduleRoot is the nearest folder above with a go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.code) == 0 {
			continue
		}
		name := p.code[0].syntax.Name.Name
		prefix := "Package " + name + " "
		if name == "main" {
			prefix = "Command " + filepath.Base(p.folder) + " "
		}
		commented := slices.ContainsFunc(p.code, func(f source) bool {
			return f.syntax.Doc != nil && strings.HasPrefix(f.syntax.Doc.Text(), prefix)
		})
		if !commented {
			t.Errorf("%s has no package comment that begins with %q", p.folder, prefix)
		}
	}
}

func TestExportedNamesHaveDocs(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.code {
			for _, name := range undocumented(f.syntax) {
				t.Errorf("%s: exported %s has no doc comment", f.path, name)
			}
		}
	}
}

// undocumented lists the exported names of a file that no comment describes. In a group of constants, variables or
// types the group's comment counts for all.
func undocumented(file *ast.File) []string {
	var out []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d))) {
				out = append(out, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
						out = append(out, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
							out = append(out, name.Name)
						}
					}
				}
			}
		}
	}
	return out
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func TestSizes(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.code, p.tests) {
			if f.lines > maxFileLines {
				t.Errorf("%s has %d lines, above %d: it holds more than one thing", f.path, f.lines, maxFileLines)
			}
		}
		for _, f := range p.code {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
					if lines > maxFunctionLines {
						t.Errorf("%s: %s has %d lines, above %d", f.path, fn.Name.Name, lines, maxFunctionLines)
					}
				}
			}
		}
	}
}

// No file names this machine's folders or leaves a promise behind (STYLE.md; no stub that pretends).
func TestNothingLeftBehind(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "/wo" + "rk/"}
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.code, p.tests) {
			for _, group := range f.syntax.Comments {
				for _, mark := range marks {
					if strings.Contains(group.Text(), mark) {
						t.Errorf("%s: a comment has %s", f.path, mark)
					}
				}
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && strings.HasSuffix(f.path, "_test.go") && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
					if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "tb") {
						t.Errorf("%s calls %s.%s: what is missing fails the test and says how to get it", f.path, x.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

func TestUndocumentedSees(t *testing.T) {
	const text = `package x
// A is described.
type A struct{}
type B struct{}
func (B) M() {}
func (b) N() {}
// Group.
const (C = 1; D = 2)
const E = 3 // Described behind.
var F = 4
func G() {}
func (*A) H() {}
`
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"B", "M", "F", "G", "H"}
	if got := undocumented(file); !slices.Equal(got, want) {
		t.Errorf("undocumented = %v, want %v", got, want)
	}
}
