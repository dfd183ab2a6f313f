package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/httpapi"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

var streamName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// firstEvent is the offset of a binary log's first event: the file begins with four bytes of magic.
const firstEvent = 4

// validate checks the values that the file gives; defaults are filled in later, so that an explicit bad value
// (sessions: 0) is not taken for a missing one.
func (d *document) validate(c *Config) error {
	if !streamName.MatchString(c.Stream) {
		return d.bad("stream", "stream must be 1 to 64 characters of a-z, 0-9, _ and -", "write a line such as stream: shop")
	}
	if err := d.validateLeg("source", c.Source.Addr, c.Source.User, c.Source.Password, c.Source.TLS); err != nil {
		return err
	}
	if err := d.validateLeg("target", c.Target.Addr, c.Target.User, c.Target.Password, c.Target.TLS); err != nil {
		return err
	}
	if d.has("source.server_id") && c.Source.ServerID == 0 {
		return d.bad("source.server_id", "server_id 0 is refused by every source",
			"take a number that no other replica of the source has, or leave the key out")
	}
	if err := d.validateAtRest(c.Target.AtRest); err != nil {
		return err
	}
	if err := d.validateStart(c.Start); err != nil {
		return err
	}
	if _, err := schema.NewFilter(c.Tables); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":") // schema begins its errors with the key: tables.include.
		return d.bad(key, err.Error(), `patterns are schema.table with * and ?, such as "shop.*"`)
	}
	if err := d.validateRoutes(c.Tables.Rename); err != nil {
		return err
	}
	if err := d.validateRules(c.DDL); err != nil {
		return err
	}
	if err := d.validateApply(c.Apply); err != nil {
		return err
	}
	if d.has("http.listen") {
		if err := c.HTTP.Validate(); err != nil {
			return d.bad("http.listen", "http."+err.Error(),
				"listen on "+httpapi.DefaultListen+" and reach it from elsewhere through an SSH tunnel or a proxy that authenticates")
		}
	}
	return nil
}

// validateRoutes points at the entry of tables.rename that makes no sense.
func (d *document) validateRoutes(rename map[string]string) error {
	_, err := schema.NewRoutes(rename)
	e, ok := errors.AsType[*schema.RouteError](err)
	if !ok {
		return err
	}
	if m, ok := mapping(d.node("tables.rename")); ok {
		for _, pair := range m.Values {
			if pair.Key.GetToken().Value == e.Key {
				return d.at(pair.Key, e.Error(), e.Next)
			}
		}
	}
	return d.bad("tables.rename", e.Error(), e.Next)
}

// validateRules points at the rule, and the key in it, that makes no sense.
func (d *document) validateRules(c schema.DDLConfig) error {
	_, err := schema.NewRules(c)
	e, ok := errors.AsType[*schema.RuleError](err)
	if !ok {
		return err
	}
	return d.bad(fmt.Sprintf("ddl.rules.%d.%s", e.Index, e.Key), e.Error(), e.Next)
}

// validateLeg checks what both servers have.
func (d *document) validateLeg(leg, addr, user string, p mysqlconn.Password, t tlsconf.Config) error {
	if addr == "" {
		return d.bad(leg+".addr", leg+".addr is missing", "write addr: host:3306")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return d.bad(leg+".addr", leg+".addr is not host:port", "write addr: host:3306; sockets have no TLS and are not taken")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return d.bad(leg+".addr", leg+".addr has no port from 1 to 65535", "write addr: host:3306")
	}
	if user == "" {
		return d.bad(leg+".user", leg+".user is missing", "name the account that binseal uses on the "+leg)
	}
	if err := d.validatePassword(leg+".password", p); err != nil {
		return err
	}
	if err := t.Validate(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":") // tlsconf begins its errors with the key: tls.mode.
		return d.bad(leg+"."+key, leg+"."+err.Error(),
			"there is no mode without verification: give the CA (tls: {ca: FILE}), or pin the server's key")
	}
	if t.Legacy && leg != "source" {
		return d.bad(leg+".tls.legacy", leg+".tls.legacy is for sources only: a target always speaks TLS 1.2 or later", "leave legacy out")
	}
	return nil
}

// validatePassword wants exactly one reference.
func (d *document) validatePassword(path string, p mysqlconn.Password) error {
	err := p.Validate()
	if err == nil {
		return nil
	}
	key, what, _ := strings.Cut(err.Error(), ":") // mysqlconn begins its errors with the key: password.systemd.
	key = path + strings.TrimPrefix(key, "password")
	return d.bad(key, key+":"+what, "write {file: PATH}, {env: NAME}, {systemd: NAME}, {aws_secret: ARN} or {iam: true}")
}

// keyARN is a KMS key's, in any partition.
var keyARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)

func (d *document) validateAtRest(a AtRest) error {
	const path = "target.at_rest.require"
	switch {
	case a.Require == AtRestAny, a.Require == AtRestCMK, a.Require == AtRestSkip, a.Require == "" && !d.has(path):
	case strings.HasPrefix(a.Require, "arn:") && !keyARN.MatchString(a.Require):
		return d.bad(path, path+" is not the ARN of a KMS key", "write arn:aws:kms:REGION:ACCOUNT:key/ID; an alias does not name one key for good")
	case keyARN.MatchString(a.Require):
	default:
		return d.bad(path, path+" is not any, cmk, a KMS key's ARN or skip", "write require: any")
	}
	if d.has("target.at_rest.cluster") && !clusterName.MatchString(a.Cluster) {
		return d.bad("target.at_rest.cluster", "target.at_rest.cluster is not the identifier of a cluster or instance", "write the name that the RDS console shows, without the domain")
	}
	return nil
}

// clusterName: 1 to 63 letters, digits and hyphens, beginning with a letter (the RDS API reference, DBClusterIdentifier).
var clusterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)

// validateStart wants one way to begin.
func (d *document) validateStart(s Start) error {
	const next = `write one of {at: current}, {gtid: "…"} and {file: "binlog.000003", pos: 4}`
	given := 0
	for _, set := range []bool{s.At != "", s.GTID != "", s.File != "" || d.has("start.pos")} {
		if set {
			given++
		}
	}
	if given > 1 {
		return d.bad("start", "start says more than one place to begin", next)
	}
	if given == 0 && d.has("start") {
		return d.bad("start", "start says no place to begin", next)
	}
	if s.At != "" && s.At != "current" {
		return d.bad("start.at", "start.at is not current", next)
	}
	if s.GTID != "" {
		if _, err := change.ParseGTIDSet(s.GTID); err != nil {
			return d.bad("start.gtid", "start.gtid is not a GTID set", "write uuid:1-N as in @@gtid_executed")
		}
	}
	if s.File == "" && d.has("start.pos") {
		return d.bad("start", "start.pos needs start.file", next)
	}
	if s.File != "" && (s.Pos < firstEvent || change.FileNumber(s.File) == 0) {
		return d.bad("start", "start.file and start.pos are not a place in a binary log",
			"the file ends in a number, as SHOW BINARY LOGS lists it, and pos is 4 or more")
	}
	return nil
}

// validateApply checks the commit mode and the numbers of sessions and rows.
func (d *document) validateApply(a Apply) error {
	switch a.Mode {
	case "", ModeAuto, ModeStrict, ModeSplit:
	default:
		return d.bad("apply.mode", "apply.mode is not auto, strict or split", "write mode: auto")
	}
	if d.has("apply.sessions") && (a.Sessions < 1 || a.Sessions > maxSessions) {
		return d.bad("apply.sessions", fmt.Sprintf("apply.sessions is not from 1 to %d", maxSessions), "write sessions: 4")
	}
	if d.has("apply.epoch_rows") && (a.EpochRows < 1 || a.EpochRows > maxEpochRows) {
		return d.bad("apply.epoch_rows", fmt.Sprintf("apply.epoch_rows is not from 1 to %d", maxEpochRows), fmt.Sprintf("write epoch_rows: %d", maxEpochRows))
	}
	return nil
}

// bad is a BS-CONFIG at the value of path, or at the section that lacks it.
func (d *document) bad(path, what, next string) *change.Fault {
	return d.at(d.node(path), what, next)
}
