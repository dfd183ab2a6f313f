package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sources are the kinds of source servers that a case can run on: the newest MySQL, MySQL 5.6, MariaDB 10.11.
var Sources = []string{defaultSource, "mysql56", "mariadb"}

// defaultSource is where a case runs that names no source.
const defaultSource = "mysql"

// Case is one folder.
type Case struct {
	Name    string
	Sources []string // Where it runs.
	Refuse  string   // The code of the refusal; "" where both sides must be equal.
	Quick   bool     // Runs in `make test` too.
	// SplitOnly: it does not run in strict mode, where MySQL 5.6 has GTIDs and refuses what the case is about.
	SplitOnly bool
	ByName    bool   // On the target columns stand elsewhere, or are more, by intent: what the source has is compared.
	Config    Config // What the case's daemon is configured with beside the usual; zero: the daemon of all cases.
	Setup     []Step // Setup and Changes both come through the stream; Changes when the target has Setup.
	Changes   []Step
}

// Kind says what a step does.
type Kind int

// The kinds of steps. Each but Statement is a comment of its own in the file: "-- restart daemon".
const (
	Statement Kind = iota // SQL on a session of the source.
	Restart               // SIGKILL the daemon and start it again.
	Await                 // Wait until the target has all so far.
	Refused               // What follows is refused as a whole; what came before is on the target.
	Unequal               // As Refused, where both sides differ already.
	OnTarget              // SQL on the target, once it has all so far.
	Nothing               // A query on the target, once it has all so far: it must find nothing.
	Halted                // The stream has halted; the daemon is stopped, and the operator's steps follow.
	Configure             // A line for the config that the daemon gets at Resume.
	Skip                  // `binseal position skip` with the GTID that the halt named.
	Resume                // Start the daemon again: from here on it must stream, and both sides end equal.
)

// words begin a directive that carries a text.
var words = map[string]Kind{"target: ": OnTarget, "target-none: ": Nothing, "config: ": Configure}

// Step is a statement or a directive.
type Step struct {
	Kind    Kind
	SQL     string
	Session string // Which of the case's sessions runs it.
	Fails   bool   // The source refuses the statement.
}

// Schema is the case's own database on both servers, and the default database of its sessions.
func (c Case) Schema() string { return "c_" + strings.ReplaceAll(c.Name, "-", "_") }

// Load reads all cases of a folder, by name.
func Load(folder string) ([]Case, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := load(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", e.Name(), err)
		}
		all = append(all, c)
	}
	return all, nil
}

func load(folder string) (Case, error) {
	c := Case{Name: filepath.Base(folder)}
	expect, err := os.ReadFile(filepath.Join(folder, "expect"))
	if err != nil {
		return c, err
	}
	if err := c.expect(string(expect)); err != nil {
		return c, err
	}
	for file, steps := range map[string]*[]Step{"setup.sql": &c.Setup, "changes.sql": &c.Changes} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if os.IsNotExist(err) && file != "changes.sql" {
			continue
		}
		if err != nil {
			return c, err
		}
		if *steps, err = parse(strings.ReplaceAll(string(text), "${schema}", c.Schema())); err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
	}
	if c.Config, err = loadConfig(folder, c.Schema()); err != nil {
		return c, err
	}
	return c, c.complete()
}

// complete wants of a refusing case, and of no other, that it says where the stream is refused, and what the operator
// then does to go on.
func (c *Case) complete() error {
	has := func(kinds ...Kind) bool {
		return slices.ContainsFunc(c.Changes, func(s Step) bool { return slices.Contains(kinds, s.Kind) })
	}
	if has(Refused, Unequal) != (c.Refuse != "") {
		return fmt.Errorf("a refusing case, and no other, says where with -- refused")
	}
	for _, kind := range []Kind{Halted, Resume} {
		if has(kind) != (c.Refuse != "") {
			return fmt.Errorf("a refusing case, and no other, says with -- halted and -- resume how it goes on")
		}
	}
	return nil
}

// expect reads the verdict: "equal" or "refuse: CODE", then "quick", "columns: by name", "sources: NAME …", and comments.
func (c *Case) expect(text string) error {
	verdict := false
	c.Sources = []string{defaultSource}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		code, refuse := strings.CutPrefix(line, "refuse: ")
		sources, isSources := strings.CutPrefix(line, "sources: ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "quick":
			c.Quick = true
		case line == "columns: by name":
			c.ByName = true
		case line == "modes: split":
			c.SplitOnly = true
		case isSources:
			c.Sources = strings.Fields(sources)
			for _, name := range c.Sources {
				if !slices.Contains(Sources, name) {
					return fmt.Errorf("expect: source %q is not one of %s", name, strings.Join(Sources, ", "))
				}
			}
		case line == "equal":
			verdict = true
		case refuse && strings.HasPrefix(code, "BS-"):
			verdict, c.Refuse = true, code
		default:
			return fmt.Errorf("expect: %q is not understood", line)
		}
	}
	if !verdict {
		return fmt.Errorf("expect: neither equal nor refuse")
	}
	return nil
}

var directives = map[string]Kind{"restart daemon": Restart, "await": Await, "refused": Refused, "refused-unequal": Unequal,
	"halted": Halted, "skip": Skip, "resume": Resume}

// parse cuts a file into steps. A statement ends with the line that ends in a semicolon.
func parse(text string) ([]Step, error) {
	var steps []Step
	var statement strings.Builder
	session, fails := "1", false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		directive, comment := strings.CutPrefix(trimmed, "-- ")
		if statement.Len() > 0 || !comment {
			if statement.Len() == 0 && trimmed == "" {
				continue
			}
			statement.WriteString(line)
			if strings.HasSuffix(trimmed, ";") {
				sql := strings.TrimSuffix(strings.TrimSpace(statement.String()), ";")
				steps = append(steps, Step{SQL: sql, Session: session, Fails: fails})
				statement.Reset()
				fails = false
			}
			continue
		}
		step, known := directed(directive)
		name, isSession := strings.CutPrefix(directive, "session: ")
		switch {
		case known:
			steps = append(steps, step)
		case isSession:
			session = name
		case directive == "expect-error":
			fails = true
		case strings.HasPrefix(directive, "# "): // A remark to the reader.
		default:
			return nil, fmt.Errorf("directive %q is not known", directive)
		}
	}
	if statement.Len() > 0 {
		return nil, fmt.Errorf("the last statement has no semicolon at its line's end")
	}
	return steps, nil
}

// directed reads a directive that is a step of its own.
func directed(directive string) (Step, bool) {
	for word, kind := range words {
		if text, ok := strings.CutPrefix(directive, word); ok {
			return Step{Kind: kind, SQL: text}, true
		}
	}
	kind, ok := directives[directive]
	return Step{Kind: kind}, ok
}
