package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/awscloud"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/grants"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// printCommand prints documents with the least privileges that the config needs. It connects to nothing.
type printCommand struct {
	IAMPolicy    printIAMPolicy    `cmd:"" name:"iam-policy" help:"The IAM policy for the daemon's role."`
	GrantsSource printGrantsSource `cmd:"" name:"grants-source" help:"The statements that make the account on the source."`
	GrantsTarget printGrantsTarget `cmd:"" name:"grants-target" help:"The statements that make the account on the target."`
}

type printIAMPolicy struct {
	Account        string   `placeholder:"ID" help:"The AWS account, 12 digits; * when it is not given."`
	SourceResource string   `placeholder:"ID" help:"The source's resource id (cluster-… or db-…), which tokens are bound to; after a blue/green switch it is another."`
	TargetResource string   `placeholder:"ID" help:"The target's resource id."`
	SecretKey      []string `placeholder:"ARN" help:"The KMS keys that secrets are encrypted with, where they are your own."`
}

type printGrantsSource struct {
	Host    string `default:"%" help:"Where the daemon connects from, as the server sees it: an address or pattern (default: anywhere)."`
	MariaDB bool   `name:"mariadb" help:"The source is of MariaDB."`
	MySQL56 bool   `name:"mysql56" help:"The source is older than MySQL 5.7."`
}

type printGrantsTarget struct {
	Host string `default:"%" help:"Where the daemon connects from, as the server sees it: an address or pattern (default: anywhere)."`
}

// Run prints the policy, and nothing else, so that it can be piped.
func (p printIAMPolicy) Run(a *app) error {
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	needs := awscloud.Needs{Account: p.Account, SecretKeys: p.SecretKey}
	host, onRDS := awscloud.ParseHost(c.Target.Addr)
	if needs.AtRest = c.Target.AtRest.Require != config.AtRestSkip && (onRDS || c.Target.AtRest.Cluster != ""); needs.AtRest && strings.HasPrefix(c.Target.AtRest.Require, "arn:") {
		needs.Key = c.Target.AtRest.Require
	}
	needs.Region = host.Region
	for _, leg := range []struct {
		addr, user, resource string
		password             mysqlconn.Password
	}{{c.Source.Addr, c.Source.User, p.SourceResource, c.Source.Password}, {c.Target.Addr, c.Target.User, p.TargetResource, c.Target.Password}} {
		if leg.password.AWSSecret != "" {
			needs.Secrets = append(needs.Secrets, leg.password.AWSSecret)
		}
		if leg.password.IAM {
			h, _ := awscloud.ParseHost(leg.addr)
			needs.Logins = append(needs.Logins, awscloud.Login{Resource: leg.resource, User: leg.user, Region: h.Region})
		}
	}
	text, err := awscloud.PolicyDocument(needs)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// Run prints the source's statements.
func (p printGrantsSource) Run(a *app) error {
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	login := grants.Login{User: c.Source.User, Host: p.Host, IAM: c.Source.Password.IAM, Old: p.MySQL56}
	included, err := includedSchemas(c.Tables)
	if err != nil {
		return err
	}
	var schemas []string
	for _, s := range included {
		schemas = append(schemas, grants.Pattern(s))
	}
	statements := grants.Source(login, p.MariaDB, schemas)
	if _, onRDS := awscloud.ParseHost(c.Source.Addr); onRDS {
		statements = append(statements, grants.Retention(login))
	}
	return a.printStatements(statements, login)
}

// Run prints the target's statements.
func (p printGrantsTarget) Run(a *app) error {
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	routes, err := schema.NewRoutes(c.Tables.Rename)
	if err != nil {
		return err
	}
	var schemas []string
	included, err := includedSchemas(c.Tables)
	if err != nil {
		return err
	}
	for _, s := range included {
		schemas = append(schemas, grants.Pattern(routes.Schema(s)))
	}
	for _, to := range c.Tables.Rename {
		name, _, _ := strings.Cut(to, ".")
		schemas = append(schemas, grants.Pattern(name))
	}
	slices.Sort(schemas)
	login := grants.Login{User: c.Target.User, Host: p.Host, IAM: c.Target.Password.IAM}
	return a.printStatements(grants.Target(login, slices.Compact(schemas)), login)
}

// includedSchemas are the schemas of tables.include, as the config writes them. A pattern of every schema is refused: a
// GRANT on all of them is one on the accounts' own tables too.
func includedSchemas(t schema.FilterConfig) ([]string, error) {
	var all []string
	for _, p := range t.Include {
		name, _, _ := strings.Cut(p, ".")
		all = append(all, name)
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(s string) bool { return strings.Trim(s, "*?") == "" }) {
		return nil, &change.Fault{Code: "BS-USAGE", Class: change.ClassConfig, Where: "tables.include",
			What: "it names no schemas: a GRANT on every schema is one on the server's accounts too", Next: `name the schemas, such as include: ["shop.*", "crm.*"]`}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// printStatements prints SQL that a client takes as it is.
func (a *app) printStatements(statements []string, login grants.Login) error {
	if a.json {
		writeJSON(a.stdout, map[string]any{"ok": true, "statements": statements})
		return nil
	}
	if !login.IAM {
		fmt.Fprintln(a.stdout, "-- MySQL 8.0.18 and later choose the password and tell it once; elsewhere write one in place of RANDOM PASSWORD: IDENTIFIED BY '…'")
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(statements, ";\n")+";")
	return err
}
