// Package awscloud asks AWS what SQL cannot tell: whether a cluster's storage is encrypted and with whose key, what a
// secret's value is, a token for a login, and the events that name a position in a binary log. It only reads; the
// policy that it needs is PolicyDocument. It never logs a secret, and passes no text of AWS's answers on but the code.
//
// Credentials and region come from the SDK's own chain (environment, shared files, the role of the task, pod or
// instance); AWS_ENDPOINT_URL leads all calls elsewhere, as the tests do. The package opens no connection to MySQL; cmd
// hands its answers to mysqlconn and stream.
package awscloud

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/binseal/binseal/change"
)

const (
	// callLimit bounds one question with its retries: a dial must not wait for AWS for long, and asks again.
	callLimit = 15 * time.Second
	// attempts of one call; the SDK waits between them, longer when AWS throttles.
	attempts = 5
)

// Cloud asks in one region. It is safe for concurrent use.
type Cloud struct {
	region  string
	aws     aws.Config
	rds     *rds.Client
	kms     *kms.Client
	secrets *secretsmanager.Client
	now     func() time.Time
}

// Open loads the SDK's settings. It asks nobody: that nothing gives credentials shows at the first question
// (BS-AWS-CREDENTIALS). region "" means the SDK's own setting; without one the error is a *change.Fault BS-AWS-REGION.
func Open(ctx context.Context, region string) (*Cloud, error) {
	// The SDK's own logger writes to stderr, between our records.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{}), config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, 3*time.Second })
	})}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, &change.Fault{Code: "BS-AWS-CONFIG", Class: change.ClassEnvironment, Where: "AWS settings",
			What: "the AWS settings of this machine cannot be read", Next: "check AWS_PROFILE, AWS_CONFIG_FILE and the files that they name"}
	}
	if cfg.Region == "" {
		return nil, &change.Fault{Code: "BS-AWS-REGION", Class: change.ClassEnvironment, Where: "AWS settings",
			What: "no AWS region is known", Next: "set AWS_REGION, or use the endpoint that AWS has given the cluster: it names its region"}
	}
	return &Cloud{region: cfg.Region, aws: cfg, rds: rds.NewFromConfig(cfg), kms: kms.NewFromConfig(cfg),
		secrets: secretsmanager.NewFromConfig(cfg), now: time.Now}, nil
}

// Region is where this Cloud asks.
func (c *Cloud) Region() string { return c.region }

// fault names an error of a call without AWS's text: that may quote names of accounts and of requests. action is the
// IAM action that the call needs, where what it was about.
func fault(action, where string, err error) error {
	f := &change.Fault{Code: "BS-AWS-UNREACHABLE", Class: change.ClassRuntime, Where: where, What: "AWS does not answer " + action,
		Next: "check the network to AWS (proxy, VPC endpoints); binseal asks again by itself"}
	if errors.Is(err, context.Canceled) {
		return err
	}
	code := ""
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
		f.Code, f.Class, f.What = "BS-AWS-REFUSED", change.ClassEnvironment, action+" gives the error "+code
		f.Next = "look the code up in the service's API reference"
		if e.ErrorFault() == smithy.FaultServer {
			f.Class, f.Next = change.ClassRuntime, "binseal asks again by itself; see the AWS Health Dashboard if it lasts"
		}
	}
	switch {
	case stale[code], isCredentials(err): // The latter may wrap an answer of STS.
		f.Code, f.Class, f.What = "BS-AWS-CREDENTIALS", change.ClassEnvironment, "there are no AWS credentials that work for "+action
		f.Next = "give the daemon a role (instance profile, task role, IRSA) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; check the machine's clock"
		if _, away := errors.AsType[net.Error](err); away && code == "" && !strings.Contains(err.Error(), "IMDS") {
			f.Class = change.ClassRuntime // Who gives them does not answer.
		}
	case denied[code]:
		f.Code, f.What = "BS-AWS-DENIED", "AWS does not let this role do "+action
		f.Next = "let an administrator add the statements of `binseal print iam-policy`"
	case throttled[code]:
		f.Code, f.Class, f.What = "BS-AWS-THROTTLED", change.ClassRuntime, "AWS throttles "+action
		f.Next = "binseal asks again by itself; if it lasts, find who else asks so often in this account"
	case missing[code]:
		f.Code, f.What, f.Next = "BS-AWS-NOT-FOUND", "AWS does not know it: "+action+" gives "+code, "check the name, the account and the region"
	}
	return f
}

// The codes of RDS, KMS, Secrets Manager and STS by what they mean to an operator.
var (
	denied = map[string]bool{"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "NotAuthorized": true}
	stale  = map[string]bool{"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "UnrecognizedClientException": true,
		"SignatureDoesNotMatch": true, "InvalidSignatureException": true, "RequestExpired": true}
	throttled = map[string]bool{"Throttling": true, "ThrottlingException": true, "RequestLimitExceeded": true, "TooManyRequestsException": true}
	missing   = map[string]bool{"DBClusterNotFoundFault": true, "DBInstanceNotFound": true, "NotFoundException": true, "ResourceNotFoundException": true,
		"DBClusterParameterGroupNotFound": true, "DBParameterGroupNotFound": true}
)

// isCredentials reports that the SDK found nobody to give credentials. It gives no typed error for that.
func isCredentials(err error) bool {
	text := err.Error()
	return slices.ContainsFunc([]string{"get identity", "failed to refresh cached credentials", "failed to retrieve credentials", "EC2 IMDS role"},
		func(s string) bool { return strings.Contains(text, s) })
}

// ask bounds one question in time.
func ask[T any](ctx context.Context, action, where string, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	out, err := call(ctx)
	if err != nil {
		return out, fault(action, where, err)
	}
	return out, nil
}
