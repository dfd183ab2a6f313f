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
	if err := d.validateAtRest(c.Target.AtRest.Require); err != nil {
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

// validatePassword wants exactly one reference, of a kind that this build resolves.
func (d *document) validatePassword(path string, p mysqlconn.Password) error {
	given := 0
	for _, set := range []bool{p.File != "", p.Env != "", p.AWSSecret != "", p.IAM} {
		if set {
			given++
		}
	}
	switch {
	case given == 0:
		return d.bad(path, path+" is missing", "write {file: PATH} or {env: NAME}")
	case given > 1:
		return d.bad(path, path+" has more than one reference", "keep one of file and env")
	case p.AWSSecret != "":
		return d.needsAWS(path + ".aws_secret")
	case p.IAM:
		return d.needsAWS(path + ".iam")
	}
	return nil
}

// validateAtRest takes the policies that need no cloud API.
func (d *document) validateAtRest(require string) error {
	const path = "target.at_rest.require"
	switch {
	case require == AtRestAny, require == AtRestSkip, require == "" && !d.has(path):
		return nil
	case require == "cmk", strings.HasPrefix(require, "arn:"):
		return d.needsAWS(path)
	}
	return d.bad(path, path+" is not any, cmk, a key's ARN or skip", "write require: any")
}

// needsAWS refuses what only the AWS API can answer: a promise that cannot be kept is not taken.
func (d *document) needsAWS(path string) error {
	return d.bad(path, path+" needs AWS support, which this release of binseal does not have",
		"use a release of binseal with AWS support (IAM, Secrets Manager, key policies); until then "+
			"give passwords by file or env, and at_rest: {require: any}")
}

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
