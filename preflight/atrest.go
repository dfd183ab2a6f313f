package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// atRestSwitches are the settings that encrypt what a MySQL server writes beside the tables.
var atRestSwitches = []string{"default_table_encryption", "innodb_redo_log_encrypt", "innodb_undo_log_encrypt", "binlog_encryption"}

// AtRest asks a target that AWS knows nothing of. What SQL shows is the server's own word for its files: verified means
// that every included table, the redo, undo and binary logs and new tables are encrypted by the server. Storage below the
// server (LUKS, EBS, Aurora's volume) cannot be seen by SQL at all; then the result is unverified.
func AtRest(ctx context.Context, o Options) change.AtRest {
	a := change.AtRest{Result: change.AtRestUnverified, Policy: change.AtRestPolicyAny, At: time.Now().UTC(), How: []string{"SQL on the target: server variables, information_schema.TABLES"}}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	c := &checker{options: o}
	session, err := o.Target.Open(ctx, mysqlconn.SessionOptions{Init: []string{"SET SESSION sql_mode=''"}, Metadata: true})
	s := &server{leg: "target", vars: map[string]string{}, tables: map[string]*table{}}
	if err == nil {
		defer session.Close()
		if err = s.readVariables(ctx, session, append(slices.Clone(atRestSwitches), "log_bin")); err == nil {
			err = s.readList(ctx, session, c.includedOn("target"))
		}
	}
	if err != nil {
		a.Seen, a.How, a.Transient = "the target could not be asked", nil, mysqlconn.Retryable(err)
		a.Missing = []string{"everything: " + mysqlconn.Describe("target", "read its settings", err).Error()}
		return a
	}
	plain, off := s.unencrypted()
	if len(plain)+len(off) > 0 {
		a.Seen = unencryptedText(plain, off)
		a.Missing = []string{"that the storage below the server is encrypted: SQL does not show it"}
		return a
	}
	if len(s.tables) == 0 {
		a.Seen = "default, redo, undo and binary log encryption are on; there is no included table yet that could be looked at"
		a.Missing = []string{"that the included tables are encrypted: none is visible to the account"}
		return a
	}
	a.Result = change.AtRestVerified
	a.Seen = fmt.Sprintf("the server reports %s with ENCRYPTION='Y', and default, redo, undo and binary log encryption on", count(len(s.tables), "included table"))
	a.Missing = []string{"where the server's keyring keeps its keys", "the tables that are not included, temporary files, dumps and backups"}
	return a
}

// atRestPolicy holds what was found out about the target against target.at_rest, as run does.
func (c *checker) atRestPolicy(a change.AtRest) {
	severity := Warn
	if a.Result == change.AtRestRefused || a.Policy != change.AtRestPolicyAny {
		severity = Must
	}
	c.want(a.Result == change.AtRestVerified, Finding{
		Code: "TARGET_AT_REST", Severity: severity, Objects: a.Missing, Seen: string(a.Result) + ": " + a.Seen,
		Why: "target.at_rest.require is " + a.Policy + "; without an answer run starts with any alone, and against one that refuses never",
		Fix: "give this role the statements of `binseal print iam-policy`; name the cluster in target.at_rest.cluster if addr is a name of your own; a target that is not encrypted so is restored from a snapshot with the KMS key",
	})
}

// unencrypted lists what the server does not encrypt: included tables and switches.
func (s *server) unencrypted() (plain, off []string) {
	for _, t := range sorted(s.tables) {
		if !t.encrypted {
			plain = append(plain, t.name)
		}
	}
	off = slices.DeleteFunc(slices.Clone(atRestSwitches), func(name string) bool {
		return s.on(name) || name == "binlog_encryption" && !s.on("log_bin")
	})
	return plain, off
}

func unencryptedText(plain, off []string) string {
	seen := count(len(plain), "included table") + " without ENCRYPTION='Y'"
	if len(off) > 0 {
		seen += "; off: " + strings.Join(off, ", ")
	}
	return seen
}
