package awscloud

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Needs says what a stream asks AWS for.
type Needs struct {
	// Logins are the legs that log in by token: the resource id of the cluster or instance ("cluster-ABC…", "db-ABC…";
	// "" where it is not known) and the account.
	Logins  []Login
	Secrets []string // ARNs.
	AtRest  bool
	Key     string // ARN of the key that the policy names; "" for whatever key the target has.
	Region  string
	Account string // 12 digits; "" where it is not known.
	China   bool
}

// Login is one account by token.
type Login struct{ Resource, User string }

type statement struct {
	Sid      string   `json:"Sid"`
	Effect   string   `json:"Effect"`
	Action   []string `json:"Action"`
	Resource []string `json:"Resource"`
}

// PolicyDocument is the IAM policy that these needs ask for and no more: it only reads. The Describe actions of RDS know
// no resource of a kind that would narrow them, or are asked before the resource is known; they are on all.
func PolicyDocument(n Needs) (string, error) {
	partition := "aws"
	if n.China {
		partition = "aws-cn"
	}
	known := func(s, unknown string) string {
		if s == "" {
			return unknown
		}
		return s
	}
	region, account := known(n.Region, "*"), known(n.Account, "*")
	var all []statement
	add := func(sid string, actions []string, resources ...string) {
		all = append(all, statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources})
	}
	var logins []string
	for _, l := range n.Logins {
		logins = append(logins, fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:%s/%s", partition, region, account, known(l.Resource, "*"), l.User))
	}
	if slices.Sort(logins); len(logins) > 0 {
		add("LogInByToken", []string{"rds-db:connect"}, slices.Compact(logins)...)
	}
	secrets := slices.Sorted(slices.Values(n.Secrets))
	if len(secrets) > 0 {
		add("ReadPasswords", []string{"secretsmanager:GetSecretValue"}, slices.Compact(secrets)...)
	}
	if n.AtRest {
		add("SeeEncryptionAtRest", []string{"rds:DescribeDBClusterParameters", "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeDBParameters", "rds:DescribeEvents"}, "*")
		add("SeeTheKey", []string{"kms:DescribeKey"}, known(n.Key, fmt.Sprintf("arn:%s:kms:%s:%s:key/*", partition, region, account)))
	}
	text, err := json.MarshalIndent(map[string]any{"Version": "2012-10-17", "Statement": all}, "", "  ")
	return string(text), err
}
