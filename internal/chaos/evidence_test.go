package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/evidence"
	"github.com/binseal/binseal/internal/testaws"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

func (r *Rig) evidence(t *testing.T, d *Daemon) (evidence.Report, int) {
	t.Helper()
	listen := "127.0.0.1:1"
	if d != nil {
		listen = d.listen
	}
	code, out := r.commandBeside(t.Context(), t, listen, "evidence", "--json")
	var report evidence.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("exit code %d: %v\n%s", code, err, out)
	}
	return report, code
}

// has reports that one of the lines holds all parts.
func has(lines []string, parts ...string) bool {
	for _, l := range lines {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(l, p)
		}
		if all {
			return true
		}
	}
	return false
}

// Servers as the demo's: both ends of every connection are told, and what is not proven beside it.
func TestEvidenceOfARunningStream(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	r.carrySchema(t)
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, time.Minute)
	report, code := r.evidence(t, d)
	if code != 0 || !report.Complete() {
		t.Fatalf("exit code %d: %+v", code, report.NotProven)
	}
	for _, leg := range []string{"source", "target"} {
		if !has(report.Proven, leg+": TLS 1.3", "its name") || !has(report.Proven, leg+": server", "TLSv1.3", "as binseal sees its own") || !has(report.Proven, leg, "REQUIRE SSL") {
			t.Errorf("%s: %q", leg, report.Proven)
		}
	}
	for i, l := range report.Legs { // Whatever the server's library can.
		if !l.Socket.PostQuantum != has(report.NotProven, l.Leg, "quantum computer") {
			t.Errorf("leg %d: post-quantum %v, %q", i, l.Socket.PostQuantum, report.NotProven)
		}
	}
	if !has(report.Proven, "target: the server refuses every client without TLS") || !has(report.NotProven, "other clients of the source use TLS") {
		t.Errorf("require_secure_transport is ON on the target and OFF on the source: %q, %q", report.Proven, report.NotProven)
	}
	if a := report.AtRest; a.Result != change.AtRestVerified || !has(a.How, "SQL on the target") || !has(report.NotProven, "keyring") {
		t.Errorf("at rest: %+v", a)
	}
	if report.Position == nil || report.Position.GTIDs == "" || len(report.ConfigHash) != 64 || report.Stream != r.Name || time.Since(report.At) > time.Minute {
		t.Errorf("the report does not say of what it is: %+v", report)
	}
	if n := len(report.Daemon.Connections); n < 5 || report.Daemon.State != "streaming" {
		t.Errorf("the daemon, %s, tells of %d connections", report.Daemon.State, n)
	}
	uses := map[string]int{}
	for _, c := range report.Daemon.Connections {
		uses[c.Leg+" "+c.Use]++
		if c.ServerVersion != "TLSv1.3" || c.ServerCipher != c.Cipher || c.Fingerprint == "" {
			t.Errorf("connection %+v", c)
		}
	}
	if uses["source binlog"] != 1 || uses["target sql"] < 3 {
		t.Errorf("connections %v", uses)
	}
	if code, out := r.Command(t.Context(), t, "check"); code != 0 || !strings.Contains(out, "0 must, 1 warn,") || !strings.Contains(out, "warn  TABLES_KEYLESS") { // The load has a keyless table.
		t.Errorf("check beside the running daemon: exit code %d\n%s", code, out)
	}
	d.Stop(t)
	report, _ = r.evidence(t, nil)
	if !has(report.NotProven, "the daemon's own connections") || report.Daemon.Problem == "" {
		t.Errorf("no daemon: %q", report.NotProven)
	}
	_, text := r.commandBeside(t.Context(), t, "127.0.0.1:1", "evidence")
	for _, part := range []string{"Proven", "NOT proven", "certificate", "target at rest: verified"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// A target whose disks nobody vouches for, and a source that cannot be reached: the report says so and ends with code 3.
func TestEvidenceOfWhatCannotBeProven(t *testing.T) {
	o := testmysql.TargetOptions()
	o.Encrypted, o.RequireSecureTransport = false, false
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t), Target: testmysql.StartT(t, o)})
	r.Target.Exec(t, "ALTER USER applier REQUIRE NONE")
	r.SourceProxy.Refuse(true)
	report, code := r.evidence(t, nil)
	if code != 3 || report.Complete() {
		t.Errorf("exit code %d, complete %v", code, report.Complete())
	}
	for _, parts := range [][]string{{"the source's leg is encrypted"}, {"the target's disks are encrypted", "unverified"}, {"other clients of the target use TLS"}, {"account applier@% on the target without TLS", "NONE"}, {"storage below the server"}} {
		if !has(report.NotProven, parts...) {
			t.Errorf("nothing of %q in %q", parts, report.NotProven)
		}
	}
}

// target.at_rest.require is kept before the first row: with AWS's answers, as the daemon's own process gets them.
func TestAtRestPolicyIsKept(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	aws := testaws.New(t)
	cluster := testaws.Cluster{ID: "shop", Endpoint: "shop.cluster-abc.eu-west-1.rds.amazonaws.com", ResourceID: "cluster-ABC", Encrypted: true, EncryptionType: "sse-kms", KMSKey: key}
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	r.AtRest, r.Env = fmt.Sprintf("{require: %q, cluster: shop}", key), aws.Env()
	refused := func(what, code string) {
		t.Helper()
		exit, out := r.commandBeside(t.Context(), t, freeAddr(t), "run")
		if exit != 3 || !strings.Contains(out, code) {
			t.Errorf("%s: exit code %d, want 3 with %s\n%s", what, exit, code, tail(out))
		}
		if got := r.Target.QueryT(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema IN ('binseal', 'shop')")[0][0]; got != "0" {
			t.Errorf("%s: %s tables were made on the target", what, got)
		}
	}
	aws.Fail("DescribeDBClusters", testaws.Denied, 20)
	refused("AWS denies", "BS-AT-REST-UNVERIFIED")
	aws.Set(func(a *testaws.AWS) {
		a.Clusters = []testaws.Cluster{{ID: "shop", Endpoint: cluster.Endpoint, EncryptionType: "none"}}
	})
	aws.Clear("DescribeDBClusters")
	refused("not encrypted", "BS-AT-REST-REFUSED")
	aws.Set(func(a *testaws.AWS) { a.Clusters[0].EncryptionType = "sse-rds" })
	refused("a key that AWS owns", "BS-AT-REST-REFUSED")
	aws.Set(func(a *testaws.AWS) {
		a.Clusters, a.Keys = []testaws.Cluster{cluster}, []testaws.Key{{ARN: key, Manager: "CUSTOMER", State: "Disabled"}}
	})
	refused("a disabled key", "BS-AT-REST-REFUSED")

	aws.Set(func(a *testaws.AWS) { a.Keys[0].State = "Enabled" })
	r.carrySchema(t)
	d := r.Start(t, Normal)
	st := d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	if a := st.AtRest; a == nil || a.Result != change.AtRestVerified || a.KeyID != key || a.KeyManager != "CUSTOMER" || a.ResourceID != "cluster-ABC" {
		t.Errorf("at rest: %+v", a)
	}
	r.AwaitCaughtUp(t, d, time.Minute)
	time.Sleep(2 * time.Second) // The lag clock has looked at the source.
	if metrics := d.page(t, "/metrics"); !strings.Contains(metrics, `binseal_at_rest{result="verified"} 1`) || !strings.Contains(metrics, "binseal_source_retention_left_seconds 2.") {
		t.Errorf("the metrics do not tell:\n%s", metrics)
	}
	report, code := r.evidence(t, d)
	if code != 0 || report.AtRest.EncryptionType != "sse-kms" || !has(report.Proven, "target at rest", key, "rds:DescribeDBClusters shop in eu-west-1") {
		t.Errorf("exit code %d: %+v", code, report.AtRest)
	}
	d.Stop(t)
}

// page reads a page of the daemon's listener.
func (d *Daemon) page(t *testing.T, path string) string {
	t.Helper()
	text, err := d.read(context.WithoutCancel(t.Context()), path)
	must(t, err)
	return text
}

func (d *Daemon) read(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
