package awscloud

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testaws"
)

const (
	shopEndpoint = "shop.cluster-abc123def.eu-west-1.rds.amazonaws.com"
	ownKey       = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	otherKey     = "arn:aws:kms:eu-west-1:111122223333:key/99999999-2222-3333-4444-555555555555"
)

func open(t *testing.T) *Cloud {
	t.Helper()
	c, err := Open(t.Context(), "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The gate that everybody would build on StorageEncrypted alone refuses every cluster with AWS's own key, and takes
// clusters whose key is gone.
func TestAtRest(t *testing.T) {
	encrypted := testaws.Cluster{ID: "shop", Endpoint: shopEndpoint, ResourceID: "cluster-ABC", Encrypted: true, EncryptionType: "sse-kms", KMSKey: ownKey}
	with := func(change func(*testaws.Cluster)) testaws.Cluster { c := encrypted; change(&c); return c }
	enabled := testaws.Key{ARN: ownKey, Manager: "CUSTOMER", State: "Enabled"}
	cases := map[string]struct {
		cluster testaws.Cluster
		keys    []testaws.Key
		fail    map[string]testaws.Error
		addr    string // shopEndpoint when empty.
		name    string // target.at_rest.cluster
		policy  string
		want    change.AtRestResult
		seen    string // In Seen or Missing.
	}{
		"a key of one's own":  {cluster: encrypted, keys: []testaws.Key{enabled}, policy: PolicyCMK, want: change.AtRestVerified, seen: "CUSTOMER, Enabled"},
		"that key by its ARN": {cluster: encrypted, keys: []testaws.Key{enabled}, policy: ownKey, want: change.AtRestVerified},
		"another key":         {cluster: encrypted, keys: []testaws.Key{enabled}, policy: otherKey, want: change.AtRestRefused, seen: "not with the one"},
		"a key that AWS owns: StorageEncrypted is false": {cluster: with(func(c *testaws.Cluster) { c.Encrypted, c.EncryptionType, c.KMSKey = false, "sse-rds", "" }), policy: PolicyAny, want: change.AtRestVerified, seen: "AWS owns"},
		"a key that AWS owns is not one's own":           {cluster: with(func(c *testaws.Cluster) { c.Encrypted, c.EncryptionType, c.KMSKey = false, "sse-rds", "" }), policy: PolicyCMK, want: change.AtRestRefused},
		"a key that AWS manages is not one's own":        {cluster: encrypted, keys: []testaws.Key{{ARN: ownKey, Manager: "AWS", State: "Enabled"}}, policy: PolicyCMK, want: change.AtRestRefused, seen: "managed by AWS"},
		"a key that AWS manages is any key":              {cluster: encrypted, keys: []testaws.Key{{ARN: ownKey, Manager: "AWS", State: "Enabled"}}, policy: PolicyAny, want: change.AtRestVerified},
		"an older API that does not tell the type":       {cluster: with(func(c *testaws.Cluster) { c.EncryptionType = "" }), keys: []testaws.Key{enabled}, policy: PolicyAny, want: change.AtRestVerified},
		"not encrypted":                                 {cluster: with(func(c *testaws.Cluster) { c.Encrypted, c.EncryptionType, c.KMSKey = false, "none", "" }), policy: PolicyAny, want: change.AtRestRefused, seen: "not encrypted"},
		"not encrypted, by an older API":                {cluster: with(func(c *testaws.Cluster) { c.Encrypted, c.EncryptionType, c.KMSKey = false, "", "" }), policy: PolicyAny, want: change.AtRestRefused},
		"a disabled key":                                {cluster: encrypted, keys: []testaws.Key{{ARN: ownKey, Manager: "CUSTOMER", State: "Disabled"}}, policy: PolicyAny, want: change.AtRestRefused, seen: "Disabled"},
		"a key that is about to be deleted":             {cluster: encrypted, keys: []testaws.Key{{ARN: ownKey, Manager: "CUSTOMER", State: "PendingDeletion"}}, policy: PolicyCMK, want: change.AtRestRefused},
		"the cluster has lost its key":                  {cluster: with(func(c *testaws.Cluster) { c.Status = "inaccessible-encryption-credentials-recoverable" }), policy: PolicyAny, want: change.AtRestRefused, seen: "cannot use the key"},
		"KMS does not let us ask: any key will do":      {cluster: encrypted, fail: map[string]testaws.Error{"DescribeKey": testaws.Denied}, policy: PolicyAny, want: change.AtRestVerified, seen: "does not let this role"},
		"KMS does not let us ask whose it is":           {cluster: encrypted, fail: map[string]testaws.Error{"DescribeKey": testaws.Denied}, policy: PolicyCMK, want: change.AtRestUnverified, seen: "does not let this role"},
		"RDS does not let us ask":                       {cluster: encrypted, fail: map[string]testaws.Error{"DescribeDBClusters": testaws.Denied}, policy: PolicyAny, want: change.AtRestUnverified, seen: "does not let this role do rds:DescribeDBClusters"},
		"expired credentials":                           {cluster: encrypted, fail: map[string]testaws.Error{"DescribeDBClusters": testaws.Expired}, policy: PolicyAny, want: change.AtRestUnverified, seen: "no AWS credentials that work"},
		"no such cluster":                               {cluster: with(func(c *testaws.Cluster) { c.ID = "other" }), policy: PolicyAny, want: change.AtRestUnverified, seen: "does not know it"},
		"a cluster of that name with another endpoint":  {cluster: with(func(c *testaws.Cluster) { c.Endpoint = strings.Replace(shopEndpoint, "abc", "xyz", 1) }), policy: PolicyAny, want: change.AtRestUnverified, seen: "another endpoint"},
		"a name of one's own":                           {cluster: encrypted, addr: "db.example", policy: PolicyAny, want: change.AtRestUnverified, seen: "not an endpoint that AWS has given"},
		"a name of one's own, and the cluster is named": {cluster: encrypted, keys: []testaws.Key{enabled}, addr: "db.example", name: "shop", policy: PolicyCMK, want: change.AtRestVerified},
		"another cluster is named than the one that is dialled": {cluster: with(func(c *testaws.Cluster) {
			c.ID, c.Endpoint = "new", "new.cluster-abc123def.eu-west-1.rds.amazonaws.com"
		}), keys: []testaws.Key{enabled}, name: "new", policy: PolicyCMK, want: change.AtRestUnverified, seen: "another endpoint"},
		"the key by its ARN, and KMS does not let us ask": {cluster: encrypted, fail: map[string]testaws.Error{"DescribeKey": testaws.Denied}, policy: ownKey, want: change.AtRestUnverified, seen: "does not let this role"},
		"a type that nobody knows yet":                    {cluster: with(func(c *testaws.Cluster) { c.Encrypted, c.EncryptionType = false, "sse-new" }), policy: PolicyAny, want: change.AtRestUnverified, seen: "does not know"},
		"a key that is replicated to another region":      {cluster: encrypted, keys: []testaws.Key{{ARN: ownKey, Manager: "CUSTOMER", State: "Updating"}}, policy: PolicyCMK, want: change.AtRestVerified},
		"a proxy": {cluster: encrypted, addr: "p.proxy-abc.eu-west-1.rds.amazonaws.com", policy: PolicyAny, want: change.AtRestUnverified, seen: "a proxy"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fake := testaws.Start(t)
			fake.Set(func(a *testaws.AWS) { a.Clusters, a.Keys = []testaws.Cluster{c.cluster}, c.keys })
			for action, e := range c.fail {
				fake.Fail(action, e, -1)
			}
			addr := c.addr
			if addr == "" {
				addr = shopEndpoint + ":3306"
			}
			got := open(t).AtRest(t.Context(), addr, c.name, c.policy)
			if got.Result != c.want || got.Seen == "" || got.At.IsZero() || got.Policy != c.policy {
				t.Errorf("got %+v, want %s", got, c.want)
			}
			if text := got.Seen + strings.Join(got.Missing, " "); !strings.Contains(text, c.seen) {
				t.Errorf("%q does not tell %q", text, c.seen)
			}
			if got.Result == change.AtRestUnverified && len(got.Missing) == 0 {
				t.Error("it does not tell what was not proven")
			}
			if got.Result == change.AtRestVerified && len(got.How) == 0 {
				t.Error("it does not tell who was asked")
			}
			if n := fake.Unsigned(); n > 0 {
				t.Errorf("%d requests without a signature", n)
			}
		})
	}
}

func TestAtRestOfInstances(t *testing.T) {
	fake := testaws.Start(t)
	fake.Set(func(a *testaws.AWS) {
		a.Clusters = []testaws.Cluster{{ID: "shop", Endpoint: shopEndpoint, Encrypted: true, EncryptionType: "sse-kms", KMSKey: ownKey}}
		a.Keys = []testaws.Key{{ARN: ownKey, Manager: "CUSTOMER", State: "Enabled"}}
		a.Instances = []testaws.Instance{{ID: "shop-1", Endpoint: "shop-1.abc123def.eu-west-1.rds.amazonaws.com", Cluster: "shop"},
			{ID: "old", Endpoint: "old.abc123def.eu-west-1.rds.amazonaws.com", ResourceID: "db-OLD", EncryptionType: "none"}}
	})
	c := open(t)
	if got := c.AtRest(t.Context(), "shop-1.abc123def.eu-west-1.rds.amazonaws.com:3306", "", PolicyCMK); got.Result != change.AtRestVerified || !strings.HasSuffix(got.Resource, ":cluster:shop") {
		t.Errorf("an instance of a cluster: %+v", got)
	}
	for _, named := range []string{"", "old"} {
		if got := c.AtRest(t.Context(), "old.abc123def.eu-west-1.rds.amazonaws.com:3306", named, PolicyAny); got.Result != change.AtRestRefused || got.ResourceID != "db-OLD" {
			t.Errorf("an instance of RDS for MySQL: %+v", got)
		}
	}
}

// AWS throttles whoever shares an account with a busy tool: the SDK waits and asks again.
func TestThrottlingIsOutwaited(t *testing.T) {
	fake := testaws.Start(t)
	fake.Set(func(a *testaws.AWS) {
		a.Clusters = []testaws.Cluster{{ID: "shop", Endpoint: shopEndpoint, EncryptionType: "sse-rds"}}
	})
	fake.Fail("DescribeDBClusters", testaws.Throttled, 2)
	if got := open(t).AtRest(t.Context(), shopEndpoint, "", PolicyAny); got.Result != change.AtRestVerified || fake.Calls("DescribeDBClusters") != 3 {
		t.Errorf("got %+v after %d calls", got, fake.Calls("DescribeDBClusters"))
	}
	fake.Fail("GetSecretValue", testaws.Throttled, -1)
	_, err := open(t).SecretPassword("arn:aws:secretsmanager:eu-west-1:111122223333:secret:x").Password(t.Context())
	if f := change.FaultOf(err); f == nil || f.Code != "BS-AWS-THROTTLED" || f.Class != change.ClassRuntime {
		t.Errorf("throttled for ever: %v", err)
	}
}

func TestToken(t *testing.T) {
	testaws.Start(t)
	c := open(t)
	token, err := c.Token(t.Context(), shopEndpoint+":3306", "applier")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse("https://" + token)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	got := map[string]string{"host": u.Host, "action": q.Get("Action"), "user": q.Get("DBUser"), "expires": q.Get("X-Amz-Expires")}
	want := map[string]string{"host": shopEndpoint + ":3306", "action": "connect", "user": "applier", "expires": "900"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(q.Get("X-Amz-Credential"), "/eu-west-1/rds-db/") || q.Get("X-Amz-Signature") == "" {
		t.Errorf("the scope is %q", q.Get("X-Amz-Credential"))
	}
	if _, err := c.Token(t.Context(), "db.example:3306", "applier"); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-AWS-ENDPOINT" {
		t.Errorf("a name of one's own: %v", err)
	}
}

// A rotation changes the secret and the server's account one after the other: for a moment either may be ahead.
func TestSecretAmidARotation(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop"
	fake := testaws.Start(t)
	set := func(current, previous string) {
		fake.Set(func(a *testaws.AWS) { a.Secrets[arn] = testaws.Secret{Current: current, Previous: previous} })
	}
	ask := func(s *SecretPassword, want string, refused ...string) {
		t.Helper()
		got, err := s.Password(t.Context(), refused...)
		if err != nil || got != want {
			t.Errorf("refused %d: got another password than wanted (%v): %v", len(refused), got == want, err)
		}
	}
	set(`{"username":"applier","password":"one"}`, "")
	c := open(t)
	now := time.Now()
	c.now = func() time.Time { return now }
	s := c.SecretPassword(arn)
	ask(s, "one")
	ask(s, "one")
	if n := fake.Calls("GetSecretValue"); n != 1 {
		t.Errorf("%d calls for two dials of one moment", n)
	}
	set(`{"password":"two"}`, `{"password":"one"}`)
	ask(s, "two", "one") // The server has the new one already.
	ask(s, "one", "two") // The server has the old one still,
	ask(s, "one")        // which the other sessions of the moment are given first: refusals lock accounts.
	ask(s, "two", "one")
	now = now.Add(secretAge + time.Second)
	set(`three`, `two`)
	ask(s, "three") // A bare text; and a later dial asks anew.
	for name, value := range map[string]string{"not JSON": `{"password": canary`, "no password": `{"username":"canary"}`} {
		set(value, "")
		_, err := c.SecretPassword(arn).Password(t.Context())
		if f := change.FaultOf(err); f == nil || f.Code != "BS-SECRET" || strings.Contains(err.Error()+f.Next, "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsNameWhatToDo(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop"
	for code, e := range map[string]testaws.Error{"BS-AWS-DENIED": testaws.Denied, "BS-AWS-NOT-FOUND": {Status: 400, Code: "ResourceNotFoundException"},
		"BS-AWS-CREDENTIALS": {Status: 400, Code: "UnrecognizedClientException"}, "BS-AWS-REFUSED": {Status: 400, Code: "DecryptionFailure"}} {
		fake := testaws.Start(t)
		fake.Set(func(a *testaws.AWS) { a.Secrets[arn] = testaws.Secret{Current: "x"} })
		fake.Fail("GetSecretValue", e, -1)
		_, err := open(t).SecretPassword(arn).Password(t.Context())
		f := change.FaultOf(err)
		if f == nil || f.Code != code || f.Class != change.ClassEnvironment || f.Next == "" || !strings.Contains(f.Where, arn) {
			t.Errorf("%s: got %v", code, err)
		}
		if strings.Contains(err.Error(), "assumed-role") {
			t.Errorf("AWS's own text is passed on: %v", err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	c := open(t)
	_, err := c.SecretPassword(arn).Password(t.Context())
	if f := change.FaultOf(err); f == nil || f.Code != "BS-AWS-UNREACHABLE" || f.Class != change.ClassRuntime {
		t.Errorf("nobody listens: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err = open(t).SecretPassword(arn).Password(t.Context())
	if f := change.FaultOf(err); f == nil || f.Code != "BS-AWS-CREDENTIALS" {
		t.Errorf("no credentials: %v", err)
	}
	t.Setenv("AWS_REGION", "")
	if _, err := Open(t.Context(), ""); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-AWS-REGION" {
		t.Errorf("no region: %v", err)
	}
}

func TestTLSRequired(t *testing.T) {
	fake := testaws.Start(t)
	fake.Set(func(a *testaws.AWS) {
		a.Clusters = []testaws.Cluster{{ID: "shop", Endpoint: shopEndpoint, Parameters: map[string]string{"require_secure_transport": "ON"}}}
	})
	if got, err := open(t).TLSRequired(t.Context(), shopEndpoint, ""); got != "ON" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Asked without a duration, RDS gives the last hour only.
func TestEvents(t *testing.T) {
	fake := testaws.Start(t)
	at := time.Now().Add(-10 * 24 * time.Hour).UTC().Truncate(time.Second)
	fake.Set(func(a *testaws.AWS) {
		a.Events = []testaws.Event{{Source: "shop-1", Message: "Binlog position from crash recovery is mysql-bin-changelog.000003 4278", Date: at.Format(time.RFC3339)}}
	})
	got, err := open(t).Events(t.Context(), "shop-1")
	want := []Event{{At: at, Text: "Binlog position from crash recovery is mysql-bin-changelog.000003 4278"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestParseHost(t *testing.T) {
	for addr, want := range map[string]Host{
		shopEndpoint + ":3306":                                     {ClusterWriter, "shop", "eu-west-1", shopEndpoint},
		"shop.cluster-ro-abc.us-gov-west-1.rds.amazonaws.com":      {ClusterReader, "shop", "us-gov-west-1", "shop.cluster-ro-abc.us-gov-west-1.rds.amazonaws.com"},
		"big.cluster-custom-abc.ap-southeast-2.rds.amazonaws.com.": {CustomGroup, "big", "ap-southeast-2", "big.cluster-custom-abc.ap-southeast-2.rds.amazonaws.com"},
		"shop-1.abc.eu-west-1.rds.amazonaws.com":                   {Instance, "shop-1", "eu-west-1", "shop-1.abc.eu-west-1.rds.amazonaws.com"},
		"P.proxy-abc.eu-west-1.rds.amazonaws.com:3306":             {Proxy, "p", "eu-west-1", "p.proxy-abc.eu-west-1.rds.amazonaws.com"},
		"g.global-abc.global.rds.amazonaws.com":                    {GlobalWriter, "g", "", "g.global-abc.global.rds.amazonaws.com"},
		"shop.cluster-abc.cn-north-1.rds.amazonaws.com.cn":         {ClusterWriter, "shop", "cn-north-1", "shop.cluster-abc.cn-north-1.rds.amazonaws.com.cn"},
		"shop.cluster-abc.rds.cn-north-1.amazonaws.com.cn":         {ClusterWriter, "shop", "cn-north-1", "shop.cluster-abc.rds.cn-north-1.amazonaws.com.cn"},
	} {
		got, ok := ParseHost(addr)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: %v\n%s", addr, ok, diff)
		}
	}
	for _, addr := range []string{"db.example:3306", "127.0.0.1:3306", "rds.amazonaws.com", "shop.cluster-abc.eu-west-1.rds.amazonaws.com.evil.example", "x.shop.cluster-abc.eu-west-1.rds.amazonaws.com"} {
		if got, ok := ParseHost(addr); ok {
			t.Errorf("%s is taken for %v", addr, got)
		}
	}
}

func TestPolicyDocument(t *testing.T) {
	got, err := PolicyDocument(Needs{Logins: []Login{{"cluster-ABC", "applier", "eu-west-1"}, {"", "repl", "us-gov-west-1"}}, AtRest: true, Key: ownKey, Region: "eu-west-1", Account: "111122223333",
		Secrets:    []string{"arn:aws:secretsmanager:eu-west-1:111122223333:secret:x", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:y-a1B2c3", "shop/applier"},
		SecretKeys: []string{otherKey}})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABC/applier"`, `"arn:aws-us-gov:rds-db:us-gov-west-1:111122223333:dbuser:*/repl"`, `"secretsmanager:GetSecretValue"`,
		`secret:x-??????"`, `secret:y-a1B2c3"`, `"arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/applier-??????"`, `"kms:Decrypt"`, `"` + ownKey + `"`, `"2012-10-17"`} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in\n%s", part, got)
		}
	}
	if none, err := PolicyDocument(Needs{}); err != nil || strings.Contains(none, "Action") || strings.Contains(none, "null") {
		t.Errorf("a stream that asks AWS for nothing: %s, %v", none, err)
	}
}
