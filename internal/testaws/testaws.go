// Package testaws is an HTTP server that speaks the wire forms of the AWS APIs that awscloud calls: RDS (query protocol,
// XML answers), KMS and Secrets Manager (JSON 1.1). AWS itself cannot be had on a bare machine. Tests point the
// SDK at it by AWS_ENDPOINT_URL; nothing else imports it.
//
// It checks that requests are signed, knows the answers that operators meet (throttling, denied, a disabled key, a key
// that AWS owns), and counts what it was asked. It does not check a signature's value, and knows no paging but of parameters.
package testaws

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is a DB cluster as DescribeDBClusters gives it.
type Cluster struct {
	ID, Endpoint, ReaderEndpoint string
	ResourceID                   string
	Status                       string // "available" when empty.
	Encrypted                    bool
	EncryptionType               string            // none, sse-rds, sse-kms; "" is left out, as by an older API.
	KMSKey                       string            // ARN.
	Parameters                   map[string]string // Of its parameter group, named ID-parameters.
}

// Instance is a DB instance.
type Instance struct {
	ID, Endpoint   string
	Cluster        string // Its cluster; "" for RDS for MySQL.
	ResourceID     string
	Encrypted      bool
	EncryptionType string
	KMSKey         string
	Parameters     map[string]string
}

// Key is a key of KMS.
type Key struct{ ARN, Manager, State string }

// Secret is a secret with its versions by stage.
type Secret struct{ Current, Previous string }

// Event is an event of RDS.
type Event struct{ Source, Message, Date string }

// Error is an answer of AWS in place of a result.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Answers that operators meet.
var (
	Throttled = Error{400, "Throttling", "Rate exceeded"}
	Denied    = Error{403, "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/x is not authorized to perform this"}
	Expired   = Error{403, "ExpiredToken", "The security token included in the request is expired"}
)

// AWS is the fake. Its fields may be changed while it runs, with Set.
type AWS struct {
	mu        sync.Mutex // Guards all that follows.
	Clusters  []Cluster
	Instances []Instance
	Keys      []Key
	Secrets   map[string]Secret // By ARN.
	Events    []Event
	fail      map[string][]Error // By action: what the next calls get.
	calls     map[string]int
	unsigned  int
	url       string
}

// Start runs the fake for a test and leads the SDK of this process to it by the environment, with credentials that mean
// nothing.
func Start(t *testing.T) *AWS {
	t.Helper()
	a := New(t)
	for _, e := range a.Env() {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	return a
}

// New runs the fake; Env leads a process to it.
func New(t testing.TB) *AWS {
	t.Helper()
	a := &AWS{Secrets: map[string]Secret{}, fail: map[string][]Error{}, calls: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// Env is the environment that leads a process here.
func (a *AWS) Env() []string {
	return []string{"AWS_ENDPOINT_URL=" + a.url, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-access-key-canary",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=eu-west-1", "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent"}
}

// Set changes what the fake knows.
func (a *AWS) Set(change func(*AWS)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

// Fail gives the next n calls of an action an error; with n below 0 all of them.
func (a *AWS) Fail(action string, e Error, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n < 0 {
		n = 1 << 20
	}
	for range min(n, 1000) {
		a.fail[action] = append(a.fail[action], e)
	}
}

// Clear forgets the errors that an action's next calls would get.
func (a *AWS) Clear(action string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail[action] = nil
}

// Calls is how often an action was called.
func (a *AWS) Calls(action string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[action]
}

// Unsigned is how many requests came without a signature.
func (a *AWS) Unsigned() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsigned
}

// serve tells the protocols apart: JSON 1.1 names its action in a header, the query protocol in the form.
func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		a.unsigned++
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, action, _ := strings.Cut(target, ".")
		a.json(w, action, body)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.query(w, form.Get("Action"), form)
}

// failing gives the error that the next call of an action gets.
func (a *AWS) failing(action string) (Error, bool) {
	a.calls[action]++
	left := a.fail[action]
	if len(left) == 0 {
		return Error{}, false
	}
	a.fail[action] = left[1:]
	return left[0], true
}

// json answers KMS and Secrets Manager (protocol "AWS JSON 1.1").
func (a *AWS) json(w http.ResponseWriter, action string, body []byte) {
	var in struct{ KeyId, SecretId, VersionStage string }
	if err := json.Unmarshal(body, &in); err != nil {
		jsonError(w, Error{400, "SerializationException", "not JSON"})
		return
	}
	if e, ok := a.failing(action); ok {
		jsonError(w, e)
		return
	}
	switch action {
	case "DescribeKey":
		for _, k := range a.Keys {
			if k.ARN == in.KeyId || strings.HasSuffix(k.ARN, "/"+in.KeyId) {
				jsonAnswer(w, map[string]any{"KeyMetadata": map[string]any{"KeyId": k.ARN[strings.LastIndexByte(k.ARN, '/')+1:], "Arn": k.ARN,
					"KeyManager": k.Manager, "KeyState": k.State, "Enabled": k.State == "Enabled"}})
				return
			}
		}
		jsonError(w, Error{400, "NotFoundException", "Key '" + in.KeyId + "' does not exist"})
	case "GetSecretValue":
		s, ok := a.Secrets[in.SecretId]
		value := s.Current
		if in.VersionStage == "AWSPREVIOUS" {
			value = s.Previous
		}
		if !ok || value == "" {
			jsonError(w, Error{400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."})
			return
		}
		jsonAnswer(w, map[string]any{"ARN": in.SecretId, "Name": in.SecretId, "SecretString": value, "VersionStages": []string{in.VersionStage}})
	default:
		jsonError(w, Error{400, "UnknownOperationException", action})
	}
}

func jsonAnswer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(v)
}

func jsonError(w http.ResponseWriter, e Error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	code := e.Code
	if code == "Throttling" || code == "AccessDenied" { // Their names in these services.
		code += "Exception"
	}
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": e.Message})
}

// query answers RDS (API version 2014-10-31).
func (a *AWS) query(w http.ResponseWriter, action string, form url.Values) {
	if e, ok := a.failing(action); ok {
		xmlError(w, e)
		return
	}
	var b strings.Builder
	switch action {
	case "DescribeDBClusters":
		a.clusters(&b, form.Get("DBClusterIdentifier"))
	case "DescribeDBInstances":
		a.instances(&b, form.Get("DBInstanceIdentifier"))
	case "DescribeDBClusterParameters":
		a.parameters(&b, form.Get("DBClusterParameterGroupName"), form.Get("Marker"))
	case "DescribeDBParameters":
		a.parameters(&b, form.Get("DBParameterGroupName"), form.Get("Marker"))
	case "DescribeEvents":
		a.events(&b, form.Get("SourceIdentifier"), form.Get("Duration"))
	default:
		xmlError(w, Error{400, "InvalidAction", action})
		return
	}
	if b.Len() == 0 {
		code := map[string]string{"DescribeDBClusters": "DBClusterNotFoundFault", "DescribeDBInstances": "DBInstanceNotFound"}[action]
		xmlError(w, Error{404, code, "not found"})
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%[1]sResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%[1]sResponse>`, action, b.String())
}

func xmlError(w http.ResponseWriter, e Error) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.Status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, e.Code, escaped(e.Message))
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// element writes <name>value</name>, nothing for an empty value.
func element(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "<%s>%s</%s>", name, escaped(value), name)
	}
}

func (a *AWS) clusters(b *strings.Builder, id string) {
	for _, c := range a.Clusters {
		if c.ID != id {
			continue
		}
		b.WriteString("<DBClusters><DBCluster>")
		element(b, "DBClusterIdentifier", c.ID)
		element(b, "DBClusterArn", "arn:aws:rds:eu-west-1:111122223333:cluster:"+c.ID)
		element(b, "DbClusterResourceId", c.ResourceID)
		element(b, "Status", either(c.Status, "available"))
		element(b, "Endpoint", c.Endpoint)
		element(b, "ReaderEndpoint", c.ReaderEndpoint)
		element(b, "StorageEncrypted", fmt.Sprint(c.Encrypted))
		element(b, "StorageEncryptionType", c.EncryptionType)
		element(b, "KmsKeyId", c.KMSKey)
		element(b, "DBClusterParameterGroup", c.ID+"-parameters")
		b.WriteString("</DBCluster></DBClusters>")
	}
}

func (a *AWS) instances(b *strings.Builder, id string) {
	for _, i := range a.Instances {
		if i.ID != id {
			continue
		}
		b.WriteString("<DBInstances><DBInstance>")
		element(b, "DBInstanceIdentifier", i.ID)
		element(b, "DBInstanceArn", "arn:aws:rds:eu-west-1:111122223333:db:"+i.ID)
		element(b, "DbiResourceId", i.ResourceID)
		element(b, "DBInstanceStatus", "available")
		element(b, "DBClusterIdentifier", i.Cluster)
		fmt.Fprintf(b, "<Endpoint><Address>%s</Address><Port>3306</Port></Endpoint>", escaped(i.Endpoint))
		element(b, "StorageEncrypted", fmt.Sprint(i.Encrypted))
		element(b, "StorageEncryptionType", i.EncryptionType)
		element(b, "KmsKeyId", i.KMSKey)
		fmt.Fprintf(b, "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>%s-parameters</DBParameterGroupName></DBParameterGroup></DBParameterGroups>", escaped(i.ID))
		b.WriteString("</DBInstance></DBInstances>")
	}
}

// parameters come in two pages, the one that is asked for on the second: as of hundreds on AWS.
func (a *AWS) parameters(b *strings.Builder, group, marker string) {
	all := map[string]map[string]string{}
	for _, c := range a.Clusters {
		all[c.ID+"-parameters"] = c.Parameters
	}
	for _, i := range a.Instances {
		all[i.ID+"-parameters"] = i.Parameters
	}
	if marker == "" {
		b.WriteString("<Parameters><Parameter><ParameterName>autocommit</ParameterName><ParameterValue>1</ParameterValue></Parameter></Parameters><Marker>second</Marker>")
		return
	}
	b.WriteString("<Parameters>")
	for name, value := range all[group] {
		b.WriteString("<Parameter>")
		element(b, "ParameterName", name)
		element(b, "ParameterValue", value)
		b.WriteString("</Parameter>")
	}
	b.WriteString("</Parameters>")
}

// events gives those of the last duration minutes, an hour's when it is not given.
func (a *AWS) events(b *strings.Builder, source, duration string) {
	minutes, err := strconv.Atoi(duration)
	if err != nil {
		minutes = 60
	}
	b.WriteString("<Events>")
	for _, e := range a.Events {
		at, err := time.Parse(time.RFC3339, e.Date)
		if e.Source == source && err == nil && time.Since(at) < time.Duration(minutes)*time.Minute {
			b.WriteString("<Event>")
			element(b, "SourceIdentifier", e.Source)
			element(b, "SourceType", "db-instance")
			element(b, "Message", e.Message)
			element(b, "Date", e.Date)
			b.WriteString("</Event>")
		}
	}
	b.WriteString("</Events>")
}

func either(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
