// Package preflight is what `binseal check` finds on both servers before a stream starts: settings, privileges and
// tables on which the stream depends, each finding with the statement or parameter that mends it. It only reads: it
// changes nothing on either server, and it opens one verified TLS session to each. It works with the accounts that
// the daemon uses and says "unverified" where those cannot see. cmd/binseal calls it.
package preflight

import (
	"context"
	"fmt"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// Severity says what a finding means for the stream.
type Severity string

// The severities, worst first.
const (
	Must Severity = "must" // The stream will not run, will halt, or would do damage.
	Warn Severity = "warn" // The stream runs; something is slower, weaker or not proven.
	Info Severity = "info" // Worth knowing.
)

// Finding is one thing to look at. Names in it are those of schemas, tables, columns, variables and accounts; row
// values never are (invariant 9).
type Finding struct {
	Code     string   `json:"code"` // Stable, such as SOURCE_BINLOG_FORMAT.
	Severity Severity `json:"severity"`
	Seen     string   `json:"seen"`              // What the server has.
	Why      string   `json:"why"`               // What goes wrong with it.
	Fix      string   `json:"fix"`               // The statement or parameter that mends it; "" when there is nothing to do.
	Objects  []string `json:"objects,omitempty"` // The tables or columns concerned, sorted.
}

// Passed is a check that found what the stream needs.
type Passed struct {
	Code string `json:"code"`
	Seen string `json:"seen"`
}

// Report is the result of a check.
type Report struct {
	OK       bool      `json:"ok"`       // Whether no finding is a Must.
	Findings []Finding `json:"findings"` // Worst first, then in the order of the checks.
	Passed   []Passed  `json:"passed"`
	Tables   int       `json:"tables"` // Included tables that could be looked at.
}

// Options says what to check. Source, Target and Filter are required.
type Options struct {
	Source, Target *mysqlconn.Endpoint
	Filter         *schema.Filter
	Routes         *schema.Routes // From the source's names to the target's; nil keeps them.
	ServerID       uint32         // The id under which the stream will register at the source.
	// ByGTID: the config starts the stream from a GTID set, which a source without GTIDs cannot serve.
	ByGTID bool
	// FromPast: the config starts the stream at a place in the source's history, so the log itself may create
	// tables that the target lacks now.
	FromPast bool
	// LongTransaction is how long one may be open without a warning; 0 is a minute.
	LongTransaction time.Duration
	// AtRest is what somebody who knows has said of the target; nil takes the target's own word.
	AtRest *change.AtRest
	// SkipAtRest: the operator wrote at_rest: {require: skip}.
	SkipAtRest bool
}

// queryTimeout bounds each server's part: information_schema on a server with many thousands of tables takes
// seconds, and a check that hangs is worse than one that says so.
const queryTimeout = 2 * time.Minute

// Run looks at both servers. A server that cannot be reached is a finding of its report, not an error; the error is
// for a check that could not be made at all: ctx ended, or a query failed on a healthy connection.
func Run(ctx context.Context, o Options) (Report, error) {
	c := &checker{options: o}
	source, err := c.look(ctx, "source", o.Source)
	if err != nil {
		return Report{}, err
	}
	target, err := c.look(ctx, "target", o.Target)
	if err != nil {
		return Report{}, err
	}
	c.rules(source, target)
	return c.report(), nil
}

// rules applies every rule that the servers which could be looked at allow; nil stands for one that could not.
func (c *checker) rules(source, target *server) {
	if source != nil {
		c.sourceSettings(source)
		c.sourcePrivileges(source)
		c.sourceHazards(source)
	}
	if target != nil {
		c.targetSettings(target)
	}
	if source != nil && target != nil {
		c.bothServers(source, target)
		c.timeZones(source, target)
	}
	for _, s := range []*server{source, target} {
		if s != nil {
			c.clock(s)
			c.longTransactions(s)
		}
	}
	c.tables(source, target)
	if target != nil {
		c.targetPrivileges(source, target)
		c.targetHazards(target)
		c.atRest(target)
	}
}

// checker collects what the rules find.
type checker struct {
	options  Options
	findings []Finding
	passed   []Passed
	seen     int // Included tables.
}

// want records f when ok is false, and the check as passed otherwise.
func (c *checker) want(ok bool, f Finding) {
	if ok {
		c.passed = append(c.passed, Passed{Code: f.Code, Seen: f.Seen})
		return
	}
	c.findings = append(c.findings, f)
}

// report orders the findings by severity.
func (c *checker) report() Report {
	r := Report{OK: true, Findings: []Finding{}, Passed: c.passed, Tables: c.seen}
	for _, severity := range []Severity{Must, Warn, Info} {
		for _, f := range c.findings {
			if f.Severity == severity {
				r.Findings = append(r.Findings, f)
				r.OK = r.OK && severity != Must
			}
		}
	}
	return r
}

// includedOn tells the replicated tables of one side by their names there.
func (c *checker) includedOn(leg string) included {
	if leg == "target" {
		return func(n schema.Name) (schema.Name, bool) { return c.options.Routes.Source(n, c.options.Filter) }
	}
	return func(n schema.Name) (schema.Name, bool) { return n, c.options.Filter.Includes(n.Schema, n.Table) }
}

// look opens one session and reads everything that the rules ask about. It gives nil, nil for a server that
// refuses the connection or is not of a kind that we know: the finding says so.
func (c *checker) look(ctx context.Context, leg string, endpoint *mysqlconn.Endpoint) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	code := map[string]string{"source": "SOURCE_CONNECT", "target": "TARGET_CONNECT"}[leg]
	// A known sql_mode: under ANSI_QUOTES the server would quote names in SHOW GRANTS in another way.
	watched := *endpoint
	var proof tlsconf.Evidence
	watched.OnEvidence = func(e tlsconf.Evidence) { proof = e }
	session, err := watched.Open(ctx, mysqlconn.SessionOptions{Init: []string{"SET SESSION sql_mode=''"}, Metadata: true})
	if err != nil {
		f := change.FaultOf(mysqlconn.Describe(leg, "connect", err))
		if f == nil || ctx.Err() != nil {
			return nil, fmt.Errorf("check the %s: %w", leg, err)
		}
		c.want(false, Finding{
			Code: code, Severity: Must, Seen: f.Error(),
			Why: "binseal talks to a server over verified TLS only, and nothing else can be checked without", Fix: f.Next,
		})
		return nil, nil
	}
	defer session.Close()
	s, err := readServer(ctx, session, leg, c.includedOn(leg))
	if err != nil {
		return nil, fmt.Errorf("check the %s: %w", leg, mysqlconn.Describe(leg, "read its settings", err))
	}
	if leg == "target" {
		if err := c.knownZones(ctx, session, s); err != nil {
			return nil, fmt.Errorf("check the target: %w", mysqlconn.Describe(leg, "ask for its time zones", err))
		}
	}
	c.want(true, Finding{Code: code, Seen: fmt.Sprintf("%s %s as %s over %s, %s", leg, s.version, s.user, s.tlsVersion, s.tlsCipher)})
	if leg == "source" {
		c.sourceTLS(proof)
	}
	if s.mariaDB() && leg == "target" {
		c.want(false, Finding{
			Code: "TARGET_FLAVOR", Severity: Must, Seen: s.version,
			Why: "MariaDB's SQL differs from MySQL's and is not written by this release",
			Fix: "use a MySQL server, 8.0 or later, as the target",
		})
		return nil, nil
	}
	return s, nil
}
