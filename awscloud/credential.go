package awscloud

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/binseal/binseal/change"
)

// Token makes a login token of RDS for one dial. It is valid for 15 minutes and only for this endpoint, which must be the
// one that AWS gave: a token for a name of one's own is refused. Nothing is sent: the token is a signature by the role's
// credentials (the Aurora guide, "IAM database authentication").
func (c *Cloud) Token(ctx context.Context, addr, user string) (string, error) {
	if _, ok := ParseHost(addr); !ok {
		return "", NoEndpoint(addr)
	}
	return ask(ctx, "rds-db:connect", addr, func(ctx context.Context) (string, error) {
		return auth.BuildAuthToken(ctx, addr, c.region, user, c.aws.Credentials)
	})
}

// NoEndpoint refuses IAM tokens for an address that AWS has not given.
func NoEndpoint(addr string) error {
	return &change.Fault{Code: "BS-AWS-ENDPOINT", Class: change.ClassConfig, Where: addr,
		What: "a token of RDS is valid for an endpoint that AWS has given, and this is not one",
		Next: "write the cluster's or instance's own endpoint into addr (…rds.amazonaws.com), or use a password"}
}

// secretAge is how long a value of a secret is used without asking again: the sessions of one run are opened together.
const secretAge = 30 * time.Second

// SecretPassword gives the password in a secret of AWS Secrets Manager. Safe for concurrent use.
type SecretPassword struct {
	cloud *Cloud
	arn   string

	mu      sync.Mutex // Guards what follows.
	current string     // The one to try first.
	at      time.Time  // When it was fetched.
}

// SecretPassword prepares to ask for a secret, by ARN or name. Nothing is asked yet.
func (c *Cloud) SecretPassword(arn string) *SecretPassword {
	return &SecretPassword{cloud: c, arn: arn}
}

// Password gives the value staged AWSCURRENT. When the server has refused that, it is fetched anew, since it may have been
// rotated a moment ago; and when that was refused as well, or is the same, the value before, AWSPREVIOUS: the secret is
// changed before the server's account is, or after it.
func (s *SecretPassword) Password(ctx context.Context, refused ...string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == "" || slices.Contains(refused, s.current) || s.cloud.now().Sub(s.at) > secretAge {
		value, err := s.cloud.secret(ctx, s.arn, "AWSCURRENT")
		if err != nil {
			return "", err
		}
		s.current, s.at = value, s.cloud.now()
	}
	if !slices.Contains(refused, s.current) {
		return s.current, nil
	}
	previous, err := s.cloud.secret(ctx, s.arn, "AWSPREVIOUS")
	if err == nil { // The other sessions of this moment need not be refused first: refusals lock accounts.
		s.current, s.at = previous, s.cloud.now()
	}
	return previous, err
}

// secret fetches one version. Its errors hold no part of the value.
func (c *Cloud) secret(ctx context.Context, arn, stage string) (string, error) {
	out, err := ask(ctx, "secretsmanager:GetSecretValue", "secret "+arn, func(ctx context.Context) (*secretsmanager.GetSecretValueOutput, error) {
		return c.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn), VersionStage: aws.String(stage)})
	})
	if err != nil {
		return "", err
	}
	password, err := passwordIn(aws.ToString(out.SecretString))
	if err != nil {
		return "", &change.Fault{Code: "BS-SECRET", Class: change.ClassEnvironment, Where: "secret " + arn, What: "no password: " + err.Error(),
			Next: `store the secret as RDS does, a JSON object with "password", or as the bare password`}
	}
	return password, nil
}

// passwordIn reads the form that RDS and its rotation functions write, {"username": …, "password": …}, or a bare text.
func passwordIn(text string) (string, error) {
	if text == "" {
		return "", errors.New("the secret has no text")
	}
	if text[0] != '{' {
		return text, nil
	}
	var fields struct {
		Password string `json:"password"`
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return "", errors.New("the secret is not valid JSON") // The decoder's error quotes the text.
	}
	if fields.Password == "" {
		return "", errors.New(`the secret's JSON has no "password"`)
	}
	return fields.Password, nil
}
