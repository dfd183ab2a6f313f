package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/binseal/binseal/change"
)

// maxFile bounds the file: a config is a page, and a wrong path may name a disk image.
const maxFile = 1 << 20 // Bytes.

// Load reads, checks and completes the file. Every error is a *change.Fault BS-CONFIG of class 2 whose Where is
// file:line:column (or the file alone); none of them quotes a value from the file other than names.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &change.Fault{
			Code: "BS-CONFIG", Class: change.ClassConfig, What: "the config file cannot be read", Where: path,
			Err: pathless(err), Next: "name the file with -c FILE",
		}
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, fault(path, nil, "this is not a config file: it is a directory or above 1 MiB", "name the file with -c FILE")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &change.Fault{
			Code: "BS-CONFIG", Class: change.ClassConfig, What: "the config file cannot be read", Where: path,
			Err: pathless(err), Next: "let the daemon's user read the file",
		}
	}
	return Parse(path, text)
}

// Parse is Load for a text that is already in memory; name stands for the file in errors.
func Parse(name string, text []byte) (*Config, error) {
	root, err := parseRoot(name, text)
	if err != nil {
		return nil, err
	}
	d := document{name: name, root: root}
	if err := d.check(root, reflect.TypeFor[Config](), ""); err != nil {
		return nil, err
	}
	var c Config
	if err := yaml.NodeToValue(root, &c, yaml.Strict()); err != nil {
		return nil, d.decodeFault(err)
	}
	if err := d.validate(&c); err != nil {
		return nil, err
	}
	c.fill()
	return &c, nil
}

// parseRoot gives the mapping at the file's top.
func parseRoot(name string, text []byte) (*ast.MappingNode, error) {
	if bytes.ContainsRune(text, 0) {
		return nil, fault(name, nil, "the file has NUL bytes: it is not YAML text in UTF-8", "save it as UTF-8")
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var at *token.Token
		what := "the YAML is malformed"
		if e, ok := errors.AsType[yaml.Error](err); ok {
			at = e.GetToken()
			if strings.Contains(e.GetMessage(), "already defined") {
				return nil, fault(name, at, "the key stands here twice", "keep one of the two lines")
			}
			what += ": " + withoutQuotes(e.GetMessage())
		}
		return nil, fault(name, at, what, "mend the line; keys are indented by spaces, never tabs")
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, fault(name, nil, "the file is empty", "write the sections stream, source and target; see the README")
	case 1:
	default:
		return nil, fault(name, bodies[1].GetToken(), "the file has more than one YAML document",
			"keep one stream per file")
	}
	root, ok := mapping(bodies[0])
	if !ok {
		return nil, fault(name, bodies[0].GetToken(), "the file is not a YAML mapping", "start with a line such as stream: shop")
	}
	return root, nil
}

// mapping views a node as a mapping: a single pair is a node of its own kind in some positions.
func mapping(n ast.Node) (*ast.MappingNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n, true
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: &ast.BaseNode{}, Start: n.Start, Values: []*ast.MappingValueNode{n}}, true
	}
	return nil, false
}

// withoutQuotes cuts a parser's message before the text that it quotes from the file: a stray quote in a password
// would otherwise be shown with what surrounds it (invariant 9).
func withoutQuotes(message string) string {
	if i := strings.IndexByte(message, '"'); i >= 0 {
		message = strings.TrimRight(message[:i], " :")
	}
	return message
}

// pathless drops the path from a file error: Where has it already.
func pathless(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// fault is a BS-CONFIG at a token's place; at may be nil.
func fault(name string, at *token.Token, what, next string) *change.Fault {
	where := name
	if at != nil && at.Position != nil {
		where = fmt.Sprintf("%s:%d:%d", name, at.Position.Line, at.Position.Column)
	}
	return &change.Fault{Code: "BS-CONFIG", Class: change.ClassConfig, What: what, Where: where, Next: next}
}
