package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// codeForm finds stable error codes (change.Fault.Code) in a text.
var codeForm = regexp.MustCompile(`\bBS-[A-Z]+(?:-[A-Z]+)*\b`)

// errorRow is a line of the tables in docs/errors.md: | `BS-CODE` | classes | meaning | next step |.
var errorRow = regexp.MustCompile("(?m)^\\| `(BS-[A-Z-]+)` \\| ([^|]+) \\|")

// classNumbers are the exit codes of the classes, by the names of their constants.
var classNumbers = map[string]string{"ClassRuntime": "1", "ClassConfig": "2", "ClassEnvironment": "3", "ClassPerson": "4"}

// Operators look a code up in docs/errors.md: each one that the code can give is there with its class, and no other.
func TestErrorCodesAreListed(t *testing.T) {
	listed := map[string]string{} // Code → classes, as the page has them.
	for _, m := range errorRow.FindAllStringSubmatch(page(t, "docs/errors.md"), -1) {
		if listed[m[1]] != "" {
			t.Errorf("docs/errors.md lists %s twice", m[1])
		}
		listed[m[1]] = m[2]
	}
	used := codesInUse(t)
	for _, code := range slices.Sorted(maps.Keys(used)) {
		classes, ok := listed[code]
		if !ok {
			t.Errorf("%s is in the code and not in docs/errors.md", code)
		}
		for _, class := range used[code] {
			if ok && !strings.Contains(classes, class) {
				t.Errorf("docs/errors.md gives %s class %s, the code also gives it class %s", code, classes, class)
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(listed)) {
		if _, ok := used[code]; !ok {
			t.Errorf("docs/errors.md lists %s, which nothing gives any more", code)
		}
	}
}

// codesInUse gives each code in the module's code (tests apart) with the classes that stand beside it in a literal.
func codesInUse(t *testing.T) map[string][]string {
	t.Helper()
	used := map[string][]string{}
	for _, p := range packages(t) {
		for _, f := range p.code {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					for _, code := range codesOf(n) {
						used[code] = append(used[code], []string{}...)
					}
				case *ast.CompositeLit:
					if code, class := codeAndClass(n); class != "" {
						used[code] = append(used[code], class)
					}
				}
				return true
			})
		}
	}
	return used
}

// codesOf are the codes in a string literal: the literal itself, or a part of a text that is written out.
func codesOf(e ast.Expr) []string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	return codeForm.FindAllString(lit.Value, -1)
}

// codeAndClass reads Code and Class of a literal; class is "" when one of them is not spelled out there.
func codeAndClass(lit *ast.CompositeLit) (code, class string) {
	for _, e := range lit.Elts {
		field, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		name, _ := field.Key.(*ast.Ident)
		switch {
		case name == nil:
		case name.Name == "Code":
			if codes := codesOf(field.Value); len(codes) == 1 {
				code = codes[0]
			}
		case name.Name == "Class":
			if s, ok := field.Value.(*ast.SelectorExpr); ok {
				class = classNumbers[s.Sel.Name]
			}
		}
	}
	if code == "" {
		class = ""
	}
	return code, class
}

// page reads a file by its path below the module's root.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
