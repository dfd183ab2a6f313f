package awscloud

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/binseal/binseal/change"
)

// The policies of target.at_rest.require beside a key's ARN.
const (
	PolicyAny = change.AtRestPolicyAny // Encrypted with any key.
	PolicyCMK = "cmk"                  // With a key of the customer's own in KMS, which can be revoked and whose use is logged.
)

// storage is what RDS says of a cluster or an instance.
type storage struct {
	resource, id   string // ARN; DbClusterResourceId or DbiResourceId.
	endpoints      []string
	encrypted      bool
	kind           string // StorageEncryptionType; "" where the API does not say.
	key            string // KmsKeyId
	parameterGroup string
	ofCluster      bool
	status         string
}

// AtRest asks RDS for the storage of the server behind addr, and KMS for its key. cluster names the cluster (or the
// instance, where there is none) when addr is a name of one's own. It never gives an error: what could not be asked makes
// the result unverified, and says why.
func (c *Cloud) AtRest(ctx context.Context, addr, cluster, policy string) change.AtRest {
	v := change.AtRest{Result: change.AtRestUnverified, Policy: policy, At: c.now().UTC()}
	st, err := c.storageOf(ctx, addr, cluster, &v)
	if err != nil {
		return unverified(v, "the storage's encryption", err)
	}
	v.Resource, v.ResourceID, v.EncryptionType, v.KeyID = st.resource, st.id, st.kind, st.key
	if strings.HasPrefix(st.status, "inaccessible-encryption-credentials") {
		return refused(v, "RDS cannot use the key any more: the cluster's status is "+st.status)
	}
	switch {
	case st.kind == "none", st.kind == "" && !st.encrypted:
		return refused(v, "RDS says that the storage is not encrypted")
	case st.kind == "sse-rds":
		// StorageEncrypted is false here: the key is AWS's own, of which nobody outside knows more.
		v.Seen = "the storage is encrypted with a key that AWS owns (sse-rds)"
		if policy != PolicyAny {
			return refused(v, v.Seen+"; the policy asks for a key of KMS")
		}
		v.Result = change.AtRestVerified
		v.Missing = append(v.Missing, "whose hands the key is in: it is AWS's own, cannot be revoked by the customer and its use is not logged")
		return v
	}
	if st.kind != "" && st.kind != "sse-kms" {
		v.Seen = "RDS gives the storage's encryption as " + st.kind + ", which this release does not know"
		v.Missing = append(v.Missing, "that the storage is encrypted: "+v.Seen)
		return v
	}
	v.Seen = "the storage is encrypted with the KMS key " + orUnnamed(st.key)
	if policy != PolicyAny && policy != PolicyCMK && !sameKey(policy, st.key) {
		return refused(v, v.Seen+", and not with the one that the policy names")
	}
	return c.withKey(ctx, v, st)
}

// withKey looks at the key. The policy any does not need it; that the key is usable it tells all the same.
func (c *Cloud) withKey(ctx context.Context, v change.AtRest, st storage) change.AtRest {
	const action = "kms:DescribeKey"
	out, err := ask(ctx, action, st.key, func(ctx context.Context) (*kms.DescribeKeyOutput, error) {
		return c.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(st.key)})
	})
	if err != nil || out.KeyMetadata == nil {
		v.Missing = append(v.Missing, "that the key is enabled and whose it is: "+reason(err))
		if v.Policy != PolicyAny {
			v.Transient = transient(err)
			return v // Unverified: it could be AWS's own key, or disabled.
		}
		v.Result = change.AtRestVerified
		return v
	}
	v.How = append(v.How, action+" "+st.key)
	v.KeyManager, v.KeyState = string(out.KeyMetadata.KeyManager), string(out.KeyMetadata.KeyState)
	v.Seen += fmt.Sprintf(", managed by %s, %s", v.KeyManager, v.KeyState)
	switch {
	case out.KeyMetadata.KeyState != kmstypes.KeyStateEnabled && out.KeyMetadata.KeyState != kmstypes.KeyStateUpdating: // The latter serves.
		return refused(v, v.Seen+": RDS loses access to the data when it next needs the key")
	case v.Policy == PolicyCMK && out.KeyMetadata.KeyManager != kmstypes.KeyManagerTypeCustomer:
		return refused(v, v.Seen+"; the policy asks for a key of the customer's own")
	}
	v.Result = change.AtRestVerified
	return v
}

func refused(v change.AtRest, seen string) change.AtRest {
	v.Result, v.Seen = change.AtRestRefused, seen
	return v
}

func unverified(v change.AtRest, what string, err error) change.AtRest {
	v.Seen, v.Transient = what+" could not be asked", transient(err)
	v.Missing = append(v.Missing, what+": "+reason(err))
	return v
}

// transient reports that asking again may help.
func transient(err error) bool {
	f := change.FaultOf(err)
	return err != nil && (f == nil || f.Class == change.ClassRuntime)
}

// reason is an error in few words.
func reason(err error) string {
	if f := change.FaultOf(err); f != nil {
		return f.What
	}
	if err != nil {
		return err.Error()
	}
	return "AWS gave no answer"
}

func orUnnamed(key string) string {
	if key == "" {
		return "(not named)"
	}
	return key
}

// sameKey compares a key's ARN with what RDS names, which is an ARN, or a bare id of the same region.
func sameKey(arn, key string) bool {
	return key != "" && (arn == key || strings.HasSuffix(arn, ":key/"+key))
}

// storageOf finds the cluster, or the instance without one, behind an address.
func (c *Cloud) storageOf(ctx context.Context, addr, cluster string, v *change.AtRest) (storage, error) {
	host, known := ParseHost(addr)
	switch {
	case cluster != "":
		st, err := c.cluster(ctx, cluster, v)
		if f := change.FaultOf(err); f != nil && f.Code == "BS-AWS-NOT-FOUND" {
			st, err = c.instance(ctx, cluster, v)
		}
		switch {
		case err != nil:
		case !known || host.Kind == Proxy || host.Kind == GlobalWriter:
			v.Missing = append(v.Missing, "that "+addr+" leads to "+cluster+": it is not an endpoint of that cluster, and target.at_rest.cluster says so alone")
		case !contains(st.endpoints, host.Addr):
			err = elsewhere(addr)
		}
		return st, err
	case !known:
		return storage{}, &change.Fault{Code: "BS-AWS-ENDPOINT", Class: change.ClassConfig, Where: addr,
			What: "the address is not an endpoint that AWS has given, so that it is not known whose storage to ask for", Next: "name the cluster in target.at_rest.cluster"}
	case host.Kind == Proxy, host.Kind == GlobalWriter:
		return storage{}, &change.Fault{Code: "BS-AWS-ENDPOINT", Class: change.ClassConfig, Where: addr,
			What: "the address is a proxy's or a global database's, behind which may be one cluster or another", Next: "connect to the cluster's endpoint, or name the cluster in target.at_rest.cluster"}
	case host.Kind == Instance:
		return c.behind(ctx, host, v)
	}
	st, err := c.cluster(ctx, host.Name, v)
	if err == nil && !contains(st.endpoints, host.Addr) {
		err = elsewhere(addr)
	}
	return st, err
}

// behind is the storage of an instance: its cluster's, or its own.
func (c *Cloud) behind(ctx context.Context, host Host, v *change.AtRest) (storage, error) {
	st, err := c.instance(ctx, host.Name, v)
	if err == nil && !contains(st.endpoints, host.Addr) {
		err = elsewhere(host.Addr)
	}
	return st, err
}

func elsewhere(addr string) error {
	return &change.Fault{Code: "BS-AWS-ENDPOINT", Class: change.ClassConfig, Where: addr,
		What: "RDS knows the name, but with another endpoint: it is of another account or region, or was given to another cluster", Next: "check the AWS account and region of the daemon's role"}
}

func contains(endpoints []string, addr string) bool {
	for _, e := range endpoints {
		if strings.EqualFold(e, addr) {
			return true
		}
	}
	return false
}

func (c *Cloud) cluster(ctx context.Context, id string, v *change.AtRest) (storage, error) {
	const action = "rds:DescribeDBClusters"
	out, err := ask(ctx, action, "cluster "+id, func(ctx context.Context) (*rds.DescribeDBClustersOutput, error) {
		return c.rds.DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{DBClusterIdentifier: aws.String(id)})
	})
	if err != nil {
		return storage{}, err
	}
	v.How = append(v.How, fmt.Sprintf("%s %s in %s", action, id, c.region))
	if len(out.DBClusters) != 1 {
		return storage{}, fmt.Errorf("%s gives %d clusters for %s", action, len(out.DBClusters), id)
	}
	d := out.DBClusters[0]
	return storage{resource: aws.ToString(d.DBClusterArn), id: aws.ToString(d.DbClusterResourceId), encrypted: aws.ToBool(d.StorageEncrypted),
		kind: string(d.StorageEncryptionType), key: aws.ToString(d.KmsKeyId), parameterGroup: aws.ToString(d.DBClusterParameterGroup), ofCluster: true,
		status: aws.ToString(d.Status), endpoints: append([]string{aws.ToString(d.Endpoint), aws.ToString(d.ReaderEndpoint)}, d.CustomEndpoints...)}, nil
}

func (c *Cloud) instance(ctx context.Context, id string, v *change.AtRest) (storage, error) {
	const action = "rds:DescribeDBInstances"
	out, err := ask(ctx, action, "instance "+id, func(ctx context.Context) (*rds.DescribeDBInstancesOutput, error) {
		return c.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(id)})
	})
	if err != nil {
		return storage{}, err
	}
	v.How = append(v.How, fmt.Sprintf("%s %s in %s", action, id, c.region))
	if len(out.DBInstances) != 1 {
		return storage{}, fmt.Errorf("%s gives %d instances for %s", action, len(out.DBInstances), id)
	}
	d := out.DBInstances[0]
	endpoints := endpointOf(d.Endpoint)
	if in := aws.ToString(d.DBClusterIdentifier); in != "" {
		st, err := c.cluster(ctx, in, v)
		st.endpoints = append(st.endpoints, endpoints...)
		return st, err
	}
	st := storage{resource: aws.ToString(d.DBInstanceArn), id: aws.ToString(d.DbiResourceId), encrypted: aws.ToBool(d.StorageEncrypted),
		kind: string(d.StorageEncryptionType), key: aws.ToString(d.KmsKeyId), status: aws.ToString(d.DBInstanceStatus), endpoints: endpoints}
	if len(d.DBParameterGroups) > 0 {
		st.parameterGroup = aws.ToString(d.DBParameterGroups[0].DBParameterGroupName)
	}
	return st, nil
}

func endpointOf(e *rdstypes.Endpoint) []string {
	if e == nil {
		return nil
	}
	return []string{aws.ToString(e.Address)}
}
