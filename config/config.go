// Package config reads the one YAML file of a stream (DESIGN.md §5), made of each package's own Config. It is
// strict: an unknown key, a value of the wrong kind and a secret written into the file are errors with line and
// column. It opens no connection and resolves no secret; it never prints what stands in the place of a secret.
// cmd/binseal calls Load; every other package gets its part of the result.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"

	"github.com/goccy/go-yaml"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/httpapi"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// DefaultFile is the configuration file that commands read when -c is not given.
const DefaultFile = "binseal.yaml"

// The values of apply.mode (DESIGN.md §2).
const (
	ModeAuto   = "auto"   // Strict while near the source, split while working off a backlog.
	ModeStrict = "strict" // One target transaction per epoch.
	ModeSplit  = "split"  // An epoch is cut into key ranges for several sessions.
)

// The values of target.at_rest.require beside a KMS key's ARN.
const (
	AtRestAny  = change.AtRestPolicyAny // Encrypted with any key; what cannot be proven is reported as unverified.
	AtRestCMK  = "cmk"                  // With a KMS key of one's own, proven by AWS.
	AtRestSkip = "skip"                 // Do not look.
)

// Limits of the figures in the file.
const (
	defaultSessions = 4
	maxEpochRows    = 100_000 // The applier's own bound.
	maxSessions     = 32      // Beyond it commits of one epoch wait for each other longer than they save.
)

// protocolVersion is part of Hash: it is raised when a half-done epoch of an older binseal could not be finished
// by this one although the config is the same.
const protocolVersion = 1

// Config is the whole file. The zero values of optional keys are replaced by their defaults when the file is read.
type Config struct {
	Stream string              `yaml:"stream"` // Names the stream in the progress table, logs and metrics: [a-z0-9_-]{1,64}.
	Source Source              `yaml:"source"`
	Target Target              `yaml:"target"`
	Start  Start               `yaml:"start"`
	Tables schema.FilterConfig `yaml:"tables"`
	DDL    schema.DDLConfig    `yaml:"ddl"`
	Apply  Apply               `yaml:"apply"`
	HTTP   httpapi.Config      `yaml:"http"`
}

// Source is the server whose binary log is read.
type Source struct {
	Addr     string             `yaml:"addr"` // host:port
	User     string             `yaml:"user"`
	Password mysqlconn.Password `yaml:"password"`
	// ServerID is the id under which the daemon registers as a replica, 1 to 2^32-1; derived from the stream's name
	// when the file does not give one.
	ServerID uint32         `yaml:"server_id"`
	TLS      tlsconf.Config `yaml:"tls"`
}

// Target is the server that changes are applied to.
type Target struct {
	Addr     string             `yaml:"addr"` // host:port
	User     string             `yaml:"user"`
	Password mysqlconn.Password `yaml:"password"`
	TLS      tlsconf.Config     `yaml:"tls"`
	AtRest   AtRest             `yaml:"at_rest"`
}

// AtRest says what the target must prove of its encryption at rest.
type AtRest struct {
	Require string `yaml:"require"` // AtRestAny (default), AtRestCMK, a KMS key's ARN, or AtRestSkip.
	// Cluster is the target's identifier in RDS, where target.addr does not name it: a name of one's own, a tunnel, a proxy.
	Cluster string `yaml:"cluster"`
}

// Start says where a stream begins that has no checkpoint yet; later starts go on from the checkpoint. Exactly one
// of At, GTID and File is set.
type Start struct {
	At   string `yaml:"at"`   // "current": the source's end at the first start.
	GTID string `yaml:"gtid"` // The set that the target already has.
	File string `yaml:"file"` // With Pos: the first event to read.
	Pos  uint64 `yaml:"pos"`  // Byte offset in File, at least 4 (behind the file's magic).
}

// Apply says how epochs are committed.
type Apply struct {
	Mode     string `yaml:"mode"`     // ModeAuto (default), ModeStrict or ModeSplit.
	Sessions int    `yaml:"sessions"` // Target sessions of split epochs, 1 to 32; default 4. Two epochs at a time share them.
	// EpochRows is how many net rows are committed together at most, 1 to 100,000, the default: fewer merge
	// less, and hold fewer locks.
	EpochRows int `yaml:"epoch_rows"`
}

// ServerID derives a replica id from a stream's name: stable over restarts and machines, in 2^31 … 2^32-1, where
// hand-numbered servers seldom are. Two streams of one source with the same id would end each other's connection.
func ServerID(stream string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(stream))
	return h.Sum32() | 1<<31
}

// fill puts defaults into what the file left out.
func (c *Config) fill() {
	if c.Source.ServerID == 0 {
		c.Source.ServerID = ServerID(c.Stream)
	}
	if c.Target.AtRest.Require == "" {
		c.Target.AtRest.Require = AtRestAny
	}
	if c.Start == (Start{}) {
		c.Start.At = "current"
	}
	if c.Apply.Mode == "" {
		c.Apply.Mode = ModeAuto
	}
	if c.Apply.Sessions == 0 {
		c.Apply.Sessions = defaultSessions
	}
	if c.Apply.EpochRows == 0 {
		c.Apply.EpochRows = maxEpochRows
	}
	if c.HTTP.Listen == "" {
		c.HTTP.Listen = httpapi.DefaultListen
	}
}

// Redacted is the config as YAML with its defaults, for printing. Secrets are in it by reference only: the file
// form has no place for their values, and Load refuses what looks like one.
func (c *Config) Redacted() (string, error) {
	out, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("print config: %w", err)
	}
	return string(out), nil
}

// Hash names everything in the config on which an epoch that was half committed depends: with another hash the
// epoch cannot be finished, since other rows might belong to it. Addresses, credentials, sessions and the commit
// mode are not in it. The text is 64 hex digits.
func (c *Config) Hash() (string, error) {
	filter, err := schema.NewFilter(c.Tables)
	if err != nil {
		return "", fmt.Errorf("hash config: %w", err)
	}
	routes, err := schema.NewRoutes(c.Tables.Rename)
	if err != nil {
		return "", fmt.Errorf("hash config: %w", err)
	}
	rules, err := schema.NewRules(c.DDL)
	if err != nil {
		return "", fmt.Errorf("hash config: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "binseal config %d\n%s\n%s\n%s", protocolVersion, filter, routes, rules))
	return hex.EncodeToString(sum[:]), nil
}
