package cases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Config is what a case's daemon has in its config beside the usual. Such a case has a daemon of its own.
type Config struct {
	Rename map[string]string // tables.rename: the file "rename", a line "from -> to" each.
	Extra  string            // More sections: the file "config.yaml" as it is.
}

// Given reports that the case needs a daemon of its own.
func (c Config) Given() bool { return len(c.Rename) > 0 || c.Extra != "" }

// loadConfig reads a case's files, where they are there; ${schema} stands for the case's database in them too.
func loadConfig(folder, schema string) (Config, error) {
	var c Config
	routes, err := optional(filepath.Join(folder, "rename"), schema)
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(routes) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " -> ")
		if !ok {
			return c, fmt.Errorf("rename: a line is not from -> to")
		}
		if c.Rename == nil {
			c.Rename = map[string]string{}
		}
		c.Rename[from] = to
	}
	c.Extra, err = optional(filepath.Join(folder, "config.yaml"), schema)
	return c, err
}

// optional is a file's text; "" when it is not there.
func optional(path, schema string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.ReplaceAll(string(text), "${schema}", schema), err
}
