package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// document is a parsed file: what errors need to point at a key.
type document struct {
	name string
	root *ast.MappingNode
}

var passwordType = reflect.TypeFor[mysqlconn.Password]()

// check walks the file beside the type that it is decoded into and refuses what does not belong: unknown keys with
// the nearest valid one, anchors, and a secret in the place of its reference. It runs before the decoder so that no
// message of the decoder can quote a secret.
func (d *document) check(n ast.Node, t reflect.Type, path string) error {
	if t == passwordType {
		return d.checkPassword(n, path)
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return d.at(n, "anchors, aliases and tags are not used in this file", "write the value itself")
	case *ast.NullNode:
		return nil // An empty section: all defaults.
	}
	if list, ok := n.(*ast.SequenceNode); ok && t.Kind() == reflect.Slice {
		for i, one := range list.Values {
			if err := d.check(one, t.Elem(), join(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	m, ok := mapping(n)
	if !ok {
		return d.at(n, fmt.Sprintf("%s is a section with keys of its own", path),
			"its keys are "+strings.Join(keysOf(t), ", "))
	}
	for _, pair := range m.Values {
		if pair.Key.IsMergeKey() {
			return d.at(pair.Key, "merge keys are not used in this file", "write the keys themselves")
		}
		key := pair.Key.GetToken().Value
		field, ok := fieldOf(t, key)
		if !ok {
			return d.unknownKey(pair.Key, path, key, keysOf(t))
		}
		if err := d.check(pair.Value, field.Type, join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

// checkPassword refuses anything but a reference. It names neither the value nor an unknown key: with
// `password: {hunter2}` the key is the secret (invariant 9).
func (d *document) checkPassword(n ast.Node, path string) error {
	const next = "write {file: PATH} or {env: NAME}, put the secret there, and change it: it has been in a file that others may have read"
	m, ok := mapping(n)
	if !ok {
		if n.Type() == ast.NullType {
			return d.at(n, path+" is empty", "write {file: PATH} or {env: NAME}")
		}
		return d.at(n, path+" is a value; secrets are given by reference only", next)
	}
	valid := keysOf(passwordType)
	for _, pair := range m.Values {
		if !slices.Contains(valid, pair.Key.GetToken().Value) {
			return d.at(pair.Key, path+" has a key that is not known", "its keys are "+strings.Join(valid, ", "))
		}
		switch pair.Value.(type) {
		case *ast.StringNode, *ast.BoolNode:
		default:
			return d.at(pair.Value, path+" does not hold a reference", "write {file: PATH} or {env: NAME}")
		}
	}
	return nil
}

// unknownKey names the key, its place and the valid key that was probably meant.
func (d *document) unknownKey(at ast.Node, path, key string, valid []string) error {
	what := fmt.Sprintf("unknown key %q", key)
	if path != "" {
		what += " in " + path
	}
	next := "valid keys here are " + strings.Join(valid, ", ")
	if near, ok := nearest(key, valid); ok {
		next = fmt.Sprintf("did you mean %q? %s", near, next)
	}
	return d.at(at, what, next)
}

// decodeFault rebuilds a decoder's error from its kind: its own text may quote values.
func (d *document) decodeFault(err error) error {
	var at *token.Token
	what := "a value does not fit its key"
	if e, ok := errors.AsType[yaml.Error](err); ok {
		at = e.GetToken()
	}
	if e, ok := errors.AsType[*yaml.TypeError](err); ok && e.DstType != nil {
		what = "expected " + kindName(e.DstType)
	} else if e, ok := errors.AsType[*yaml.OverflowError](err); ok {
		what = "the number does not fit: expected " + kindName(e.DstType)
	} else if _, ok := errors.AsType[*yaml.DuplicateKeyError](err); ok {
		what = "the key stands here twice"
	} else if e, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok {
		what = fmt.Sprintf("expected a %s, found a %s", e.Expected.YAMLName(), e.Actual.YAMLName())
	}
	return fault(d.name, at, what, "see the config section of the README for the form")
}

// kindName says in an operator's words what a Go type takes.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Uint32:
		return "a number from 0 to 4294967295"
	case reflect.Uint, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "a section with keys of its own"
	default:
		return "a text"
	}
}

// at is a BS-CONFIG at a node; for a section, at its first key, since the parser's own place is the colon behind it.
func (d *document) at(n ast.Node, what, next string) *change.Fault {
	if m, ok := mapping(n); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	return fault(d.name, n.GetToken(), what, next)
}

// node finds the value at a dotted path, or the nearest section above it that the file has: an error about a
// missing key points at the section where it belongs. An item of a list goes by its index from 0.
func (d *document) node(path string) ast.Node {
	var at ast.Node = d.root
	for key := range strings.SplitSeq(path, ".") {
		if list, ok := at.(*ast.SequenceNode); ok {
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(list.Values) {
				return at
			}
			at = list.Values[i]
			continue
		}
		m, ok := mapping(at)
		if !ok {
			return at
		}
		i := slices.IndexFunc(m.Values, func(p *ast.MappingValueNode) bool { return p.Key.GetToken().Value == key })
		if i < 0 {
			return at
		}
		at = m.Values[i].Value
	}
	return at
}

// has reports whether the file gives a value at a dotted path.
func (d *document) has(path string) bool {
	dir, key := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		dir, key = path[:i], path[i+1:]
	}
	var at ast.Node = d.root
	if dir != "" {
		at = d.node(dir)
	}
	m, ok := mapping(at)
	return ok && slices.ContainsFunc(m.Values, func(p *ast.MappingValueNode) bool { return p.Key.GetToken().Value == key })
}

// fieldOf finds the struct field of a YAML key.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name == key && name != "" && name != "-" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keysOf lists the YAML keys of a struct in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && name != "-" {
			keys = append(keys, name)
		}
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// nearest finds the candidate within two edits of word (one for short words).
func nearest(word string, candidates []string) (string, bool) {
	best, limit := "", 2
	if len(word) < 4 {
		limit = 1
	}
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), c); d <= limit {
			best, limit = c, d-1
		}
	}
	return best, best != ""
}

// editDistance is Levenshtein's: insertions, deletions and replacements of one byte.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
