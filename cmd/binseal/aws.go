package main

import (
	"context"
	"strings"

	"github.com/binseal/binseal/awscloud"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/preflight"
)

// fromAWS makes the password providers of one leg that ask AWS. Its settings are loaded here, so that a missing region
// shows at the start; credentials show at the first dial.
func fromAWS(addr, user string) mysqlconn.Providers {
	return mysqlconn.Providers{
		AWSSecret: func(arn string) (mysqlconn.Provider, error) {
			cloud, err := awscloud.Open(context.Background(), regionOf(arn))
			if err != nil {
				return nil, err
			}
			secret := cloud.SecretPassword(arn)
			return func(ctx context.Context, refused ...mysqlconn.Secret) (mysqlconn.Secret, error) {
				var texts []string
				for _, r := range refused {
					texts = append(texts, string(r))
				}
				password, err := secret.Password(ctx, texts...)
				return mysqlconn.Secret(password), err
			}, nil
		},
		IAM: func() (mysqlconn.Provider, error) {
			host, ok := awscloud.ParseHost(addr)
			if !ok {
				return nil, awscloud.NoEndpoint(addr)
			}
			cloud, err := awscloud.Open(context.Background(), host.Region)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, refused ...mysqlconn.Secret) (mysqlconn.Secret, error) {
				if len(refused) > 0 { // A second token would be of the same role.
					return refused[0], nil
				}
				token, err := cloud.Token(ctx, addr, user)
				return mysqlconn.Secret(token), err
			}, nil
		},
	}
}

// regionOf is the region in an ARN; "" for a bare name, which is of the SDK's own region.
func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 5); len(parts) == 5 && parts[0] == "arn" {
		return parts[3]
	}
	return ""
}

// atRest gives who is asked for the target's encryption at rest: AWS where it knows the target, else the target itself; nobody
// where the config says not to look, which the answer tells.
func atRest(c *config.Config, l legs) (ask func(context.Context) change.AtRest, ofAWS bool, err error) {
	policy, cluster, addr := c.Target.AtRest.Require, c.Target.AtRest.Cluster, c.Target.Addr
	if policy == config.AtRestSkip {
		return func(context.Context) change.AtRest {
			return change.AtRest{Result: change.AtRestSkipped, Policy: policy, Seen: "not looked at: target.at_rest.require is skip", At: clock().UTC()}
		}, false, nil
	}
	host, known := awscloud.ParseHost(addr)
	if !known && cluster == "" {
		return func(ctx context.Context) change.AtRest {
			a := preflight.AtRest(ctx, preflight.Options{Target: l.target, Filter: l.filter, Routes: l.routes})
			if a.Policy = policy; policy != config.AtRestAny { // No server can show whose key it is.
				a.Result = change.AtRestUnverified
				a.Missing = append(a.Missing, "with which key: target.addr is not an endpoint of RDS, and target.at_rest.cluster names none")
			}
			return a
		}, false, nil
	}
	cloud, err := awscloud.Open(context.Background(), host.Region)
	if err != nil {
		return nil, true, err
	}
	return func(ctx context.Context) change.AtRest { return cloud.AtRest(ctx, addr, cluster, policy) }, true, nil
}

// parameterGroup asks AWS whether the target's parameter group insists on TLS; nil where AWS does not know the target.
func parameterGroup(c *config.Config) (func(context.Context) (string, error), error) {
	host, known := awscloud.ParseHost(c.Target.Addr)
	if !known && c.Target.AtRest.Cluster == "" || c.Target.AtRest.Require == config.AtRestSkip {
		return nil, nil
	}
	cloud, err := awscloud.Open(context.Background(), host.Region)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (string, error) {
		return cloud.TLSRequired(ctx, c.Target.Addr, c.Target.AtRest.Cluster)
	}, nil
}
