package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/binseal/binseal/change"
)

// DDLConfig is the operator's word on statements that define objects.
type DDLConfig struct {
	Rules []RuleConfig `yaml:"rules"` // The first that matches a statement decides.
}

// RuleConfig is one rule. Patterns have * (any run of characters) and ? (one character).
type RuleConfig struct {
	Match MatchConfig `yaml:"match"`
	Do    Action      `yaml:"do"`
	With  string      `yaml:"with"` // For rewrite: the statement to run in place of the source's, in its session context.
}

// MatchConfig says which statements a rule is for: those that fit all of the patterns that are given.
type MatchConfig struct {
	Kind      string `yaml:"kind"`      // As logged and printed by refusals, such as "ALTER TABLE"; without regard to case.
	Table     string `yaml:"table"`     // schema.table of one of the tables that the statement names, or of the object.
	Statement string `yaml:"statement"` // The whole text, without regard to case; each run of white space counts as one space.
}

// Action is what a rule does with a statement.
type Action string

// The actions of ddl.rules.
const (
	Apply   Action = "apply"   // Run it as it was written, also where it is not understood or names excluded tables too.
	Skip    Action = "skip"    // Do not run it.
	Rewrite Action = "rewrite" // Run another statement in its place.
)

// Rules are compiled rules; nil has none. Immutable and safe for concurrent use.
type Rules struct{ list []RuleConfig }

// RuleError is a rule that makes no sense; Key is the place below ddl.rules[Index], such as "match.kind" or "".
type RuleError struct {
	Index      int
	Key        string
	What, Next string
}

// Error implements error. It quotes no text of the config.
func (e *RuleError) Error() string { return fmt.Sprintf("ddl.rules[%d]: %s", e.Index, e.What) }

// NewRules checks and compiles rules. Its errors are *RuleError.
func NewRules(c DDLConfig) (*Rules, error) {
	r := &Rules{}
	for i, rule := range c.Rules {
		if key, what, next := rule.check(); what != "" {
			return nil, &RuleError{Index: i, Key: key, What: what, Next: next}
		}
		rule.Match.Kind, rule.Match.Statement = strings.ToUpper(rule.Match.Kind), plain(rule.Match.Statement)
		r.list = append(r.list, rule)
	}
	return r, nil
}

// check finds what is wrong with a rule; what is "" when nothing is.
func (c RuleConfig) check() (key, what, next string) {
	m := c.Match
	switch {
	case m == (MatchConfig{}):
		return "match", "match is missing or empty", `say which statements: {kind: "DROP VIEW", table: "shop.*", statement: "…"}`
	case m.Kind != "" && !knownKind(strings.ToUpper(m.Kind)):
		return "match.kind", "no statement has such a kind", `take the kind that the refusal prints, such as "ALTER TABLE" or "CREATE TABLESPACE"`
	case m.Table != "" && !strings.Contains(m.Table, "."):
		return "match.table", "the pattern is not schema.table", `write a pattern such as "shop.*"`
	case c.Do != Apply && c.Do != Skip && c.Do != Rewrite:
		return "do", "do is not apply, skip or rewrite", "write one of apply, skip and rewrite"
	case c.Do == Rewrite && c.With == "":
		return "with", "rewrite has no statement", `write the statement to run: with: "…"`
	case c.Do != Rewrite && c.With != "":
		return "with", "with is for rewrite only", "take it out, or write do: rewrite"
	case c.Do == Rewrite:
		// Names without a schema are resolved in the source's default database when it runs; here any will do.
		if d, err := ParseDDL(&change.Statement{SQL: c.With, Database: "x"}); err != nil || d.OpensTransaction {
			return "with", "the statement is not DDL that the stream understands", "write one DDL statement without a final semicolon"
		}
	}
	return "", "", ""
}

// knownKind reports whether some statement has a kind that fits the pattern.
func knownKind(pattern string) bool {
	fits := func(kind string) bool { return match(pattern, strings.ToUpper(kind)) }
	for _, verb := range []string{"CREATE", "ALTER", "DROP"} {
		for _, object := range append([]string{"TABLE", "DATABASE", "SCHEMA", "INDEX"}, objects...) {
			if fits(verb + " " + object) {
				return true
			}
		}
	}
	for _, name := range kindNames {
		if fits(name) {
			return true
		}
	}
	return fits("STATEMENT") || slices.ContainsFunc(otherVerbs, fits)
}

// plain is a statement's text for matching.
func plain(sql string) string { return strings.ToUpper(strings.Join(strings.Fields(sql), " ")) }

// Verdict is what is to be done with a statement.
type Verdict struct {
	DDL    *DDL   // What to run; nil when a rule skips the statement.
	Kind   string // The statement's kind, for logs.
	Action Action // "" when no rule was used.
	Rule   int    // Number of the rule, from 1; 0 when none was used.
}

// Judge classifies a statement as ParseDDL does and lets the rules decide first. Its faults are those of ParseDDL,
// with the rule that would let the stream go on as their next step. Rows that came as a statement, and XA, are not
// for rules: what they do to rows cannot be allowed by a word.
func (r *Rules) Judge(st *change.Statement) (*Verdict, error) {
	d, kind, err := parse(st)
	if f := change.FaultOf(err); f != nil && (f.Code == "BS-DML-STATEMENT" || f.Code == "BS-XA-UNSUPPORTED") {
		return nil, err
	}
	v := &Verdict{DDL: d, Kind: kind}
	i := r.find(v, st.SQL)
	if i < 0 {
		return v, withRule(err, kind)
	}
	rule := r.list[i]
	v.Action, v.Rule = rule.Do, i+1
	switch rule.Do {
	case Skip:
		v.DDL = nil
	case Rewrite:
		other := *st
		other.SQL = rule.With
		if v.DDL, err = ParseDDL(&other); err != nil {
			return nil, err
		}
		v.DDL.OpensTransaction = d != nil && d.OpensTransaction
	case Apply:
		switch {
		case err != nil:
			v.DDL = &DDL{SQL: st.SQL, Blind: true}
		case d.Kind.Skip() || d.Kind.Held():
			blind := *d // Its traces are not looked at: the stream never runs such a statement by itself.
			blind.Blind = true
			v.DDL = &blind
		}
	}
	return v, nil
}

// find gives the index of the first rule for a statement, or -1.
func (r *Rules) find(v *Verdict, sql string) int {
	if r == nil || len(r.list) == 0 {
		return -1
	}
	text := plain(sql)
	return slices.IndexFunc(r.list, func(c RuleConfig) bool {
		m := c.Match
		return (m.Kind == "" || match(m.Kind, strings.ToUpper(v.Kind))) && (m.Table == "" || v.names(m.Table)) &&
			(m.Statement == "" || match(m.Statement, text))
	})
}

// names reports whether the statement names a table or object that fits. What is not understood names none.
func (v *Verdict) names(pattern string) bool {
	if v.DDL == nil {
		return false
	}
	fits := func(n Name) bool { return match(pattern, n.Schema+"."+n.Table) }
	return slices.ContainsFunc(v.DDL.Tables, fits) || v.DDL.Object.Table != "" && fits(v.DDL.Object)
}

// withRule adds the way out to a refusal.
func withRule(err error, kind string) error {
	f := change.FaultOf(err)
	if f == nil {
		return err
	}
	told := *f
	told.Next += "; or let a rule decide and start again: " + ruleFor(kind)
	return &told
}

// ruleFor is the text of a rule for a kind of statement, as an operator would write it.
func ruleFor(kind string) string {
	return fmt.Sprintf("ddl: {rules: [{match: {kind: %q, statement: \"…\"}, do: skip}]} (or apply, or rewrite with another statement)", kind)
}

// AllowedBy adds to a refusal of a statement that was understood the rule that would let the stream go on.
func (v *Verdict) AllowedBy(err error) error { return withRule(err, v.Kind) }

// String is the canonical form, for the hash of the configuration; "" without rules.
func (r *Rules) String() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range r.list {
		for _, s := range []string{c.Match.Kind, c.Match.Table, c.Match.Statement, string(c.Do), c.With} {
			b.WriteString(strconv.Quote(s) + " ")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
