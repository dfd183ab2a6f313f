package awscloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Needs says what a stream asks AWS for.
type Needs struct {
	Logins     []Login
	Secrets    []string // ARNs, with or without the six characters at their end, or names.
	SecretKeys []string // ARNs of the KMS keys of the customer's own that the secrets are encrypted with.
	AtRest     bool
	Key        string // ARN of the key that the policy names; "" for whatever key the target has.
	Region     string // Of the target, and of secrets that are given by name.
	Account    string // 12 digits; "" where it is not known.
}

// Login is one account by token.
type Login struct {
	Resource string // The resource id of the cluster or instance, "cluster-ABC…", "db-ABC…"; "" where it is not known.
	User     string
	Region   string
}

type statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Action    []string       `json:"Action"`
	Resource  []string       `json:"Resource"`
	Condition map[string]any `json:"Condition,omitempty"`
}

// partition is what an ARN of a region begins with behind "arn:".
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func orAny(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// suffixed: Secrets Manager adds a hyphen and six characters to a secret's name in its ARN, and a policy is held against the
// whole ARN.
var suffixed = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// secretARN is a secret as a policy must name it.
func secretARN(secret, region, account string) string {
	if !strings.HasPrefix(secret, "arn:") {
		return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-??????", partition(region), orAny(region), orAny(account), secret)
	}
	if suffixed.MatchString(secret) {
		return secret
	}
	return secret + "-??????"
}

// PolicyDocument is the IAM policy that these needs ask for and no more: it only reads. The Describe actions of RDS know
// no resource of a kind that would narrow them, or are asked before the resource is known; they are on all.
func PolicyDocument(n Needs) (string, error) {
	all := []statement{}
	add := func(s statement) {
		s.Effect = "Allow"
		slices.Sort(s.Resource)
		s.Resource = slices.Compact(s.Resource)
		all = append(all, s)
	}
	var logins, secrets []string
	for _, l := range n.Logins {
		logins = append(logins, fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:%s/%s", partition(l.Region), orAny(l.Region), orAny(n.Account), orAny(l.Resource), l.User))
	}
	if len(logins) > 0 {
		add(statement{Sid: "LogInByToken", Action: []string{"rds-db:connect"}, Resource: logins})
	}
	for _, s := range n.Secrets {
		secrets = append(secrets, secretARN(s, n.Region, n.Account))
	}
	if len(secrets) > 0 {
		add(statement{Sid: "ReadPasswords", Action: []string{"secretsmanager:GetSecretValue"}, Resource: secrets})
	}
	if len(n.SecretKeys) > 0 {
		add(statement{Sid: "DecryptPasswords", Action: []string{"kms:Decrypt"}, Resource: slices.Clone(n.SecretKeys),
			Condition: map[string]any{"StringLike": map[string]string{"kms:ViaService": "secretsmanager.*.amazonaws.com"}}})
	}
	if n.AtRest {
		add(statement{Sid: "SeeEncryptionAtRest", Action: []string{"rds:DescribeDBClusterParameters", "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeDBParameters", "rds:DescribeEvents"}, Resource: []string{"*"}})
		key := n.Key
		if key == "" {
			key = fmt.Sprintf("arn:%s:kms:%s:%s:key/*", partition(n.Region), orAny(n.Region), orAny(n.Account))
		}
		add(statement{Sid: "SeeTheKey", Action: []string{"kms:DescribeKey"}, Resource: []string{key}})
	}
	text, err := json.MarshalIndent(map[string]any{"Version": "2012-10-17", "Statement": all}, "", "  ")
	return string(text), err
}
