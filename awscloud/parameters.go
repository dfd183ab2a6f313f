package awscloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/binseal/binseal/change"
)

// requireTLS is the parameter by which a cluster refuses clients without TLS.
const requireTLS = "require_secure_transport"

// maxPages bounds how much of a parameter group is read, 100 parameters each; a group has some hundreds.
const maxPages = 20

// RequireSecureTransport is the value of that parameter in a parameter group of a cluster, or of an instance: "ON", "1",
// "OFF", "0", or "" where the group leaves the engine's default. What a running server has may differ until it restarts.
func (c *Cloud) requireSecureTransport(ctx context.Context, st storage) (string, error) {
	marker := ""
	for range maxPages {
		page, next, err := c.parameters(ctx, st, marker)
		if err != nil {
			return "", err
		}
		for _, p := range page {
			if aws.ToString(p.ParameterName) == requireTLS {
				return aws.ToString(p.ParameterValue), nil
			}
		}
		if marker = next; marker == "" {
			break
		}
	}
	return "", nil
}

// parameters reads one page.
func (c *Cloud) parameters(ctx context.Context, st storage, marker string) ([]types.Parameter, string, error) {
	var from *string
	if marker != "" {
		from = aws.String(marker)
	}
	where := "parameter group " + st.parameterGroup
	if st.ofCluster {
		out, err := ask(ctx, "rds:DescribeDBClusterParameters", where, func(ctx context.Context) (*rds.DescribeDBClusterParametersOutput, error) {
			return c.rds.DescribeDBClusterParameters(ctx, &rds.DescribeDBClusterParametersInput{DBClusterParameterGroupName: aws.String(st.parameterGroup), Marker: from})
		})
		if err != nil {
			return nil, "", err
		}
		return out.Parameters, aws.ToString(out.Marker), nil
	}
	out, err := ask(ctx, "rds:DescribeDBParameters", where, func(ctx context.Context) (*rds.DescribeDBParametersOutput, error) {
		return c.rds.DescribeDBParameters(ctx, &rds.DescribeDBParametersInput{DBParameterGroupName: aws.String(st.parameterGroup), Marker: from})
	})
	if err != nil {
		return nil, "", err
	}
	return out.Parameters, aws.ToString(out.Marker), nil
}

// TLSRequired tells whether the parameter group behind an address makes the server refuse clients without TLS: the value as
// it stands there.
func (c *Cloud) TLSRequired(ctx context.Context, addr, cluster string) (value string, err error) {
	var v change.AtRest
	st, err := c.storageOf(ctx, addr, cluster, &v)
	if err != nil {
		return "", err
	}
	return c.requireSecureTransport(ctx, st)
}
