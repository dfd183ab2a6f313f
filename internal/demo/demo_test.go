package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/tlsconf"
)

func TestMain(m *testing.M) {
	// glog, which the collation tables bring along, starts this one when it is imported.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func TestDemoProvesEqualityAfterAKill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "binseal")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/binseal").CombinedOutput(); err != nil {
		t.Fatalf("build the daemon: %v\n%s", err, out)
	}
	var story bytes.Buffer
	err := Run(t.Context(), Options{Binary: binary, Out: &story, Load: 6 * time.Second, Clients: 1})
	t.Log("\n" + story.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kills         1 SIGKILL survived", "differences   0", "source leg    TLS 1.3", "target leg    TLS 1.3"} {
		if !strings.Contains(story.String(), want) {
			t.Errorf("the story does not say %q", want)
		}
	}
}

func TestVerdictFailsWithoutProof(t *testing.T) {
	good := tlsconf.Evidence{Version: "TLS 1.3", Verified: "verify-identity"}
	source, target := good, good
	source.Leg, target.Leg = "source", "target"
	unverified := target
	unverified.Verified = ""
	cases := map[string]struct {
		differences []string
		evidence    []tlsconf.Evidence
		rows        int64
		want        change.Class
	}{
		"all is well":            {evidence: []tlsconf.Evidence{source, target}, rows: 1},
		"a table differs":        {differences: []string{"t"}, evidence: []tlsconf.Evidence{source, target}, rows: 1, want: change.ClassPerson},
		"no rows at all":         {evidence: []tlsconf.Evidence{source, target}, want: change.ClassRuntime},
		"a leg without evidence": {evidence: []tlsconf.Evidence{source}, rows: 1, want: change.ClassRuntime},
		"a leg not verified":     {evidence: []tlsconf.Evidence{source, unverified}, rows: 1, want: change.ClassRuntime},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got change.Class
			if f := change.FaultOf(verdict(c.differences, status{Evidence: c.evidence}, c.rows)); f != nil {
				got = f.Class
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("class (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextIsFoundAcrossPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for at, want := range map[int]bool{0: true, 1<<20 - 3: true, 2<<20 - 7: true, -1: false} {
		data := make([]byte, 3<<20)
		if at >= 0 {
			copy(data[at:], marker)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := fileHolds(path, []byte(marker)); got != want || err != nil {
			t.Errorf("text at %d: found %v, error %v", at, got, err)
		}
	}
}

func TestConsoleRewritesOnlyOnATerminal(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out)
	c.live("one")
	c.live("two") // Too soon after the first.
	c.say("three")
	if diff := cmp.Diff("one\nthree\n", out.String()); diff != "" {
		t.Errorf("plain (-want +got):\n%s", diff)
	}
	out.Reset()
	c.terminal = true
	c.live("four")
	c.live("5")
	c.say("six")
	if diff := cmp.Diff("\rfour\r5   \r    \rsix\n", out.String()); diff != "" {
		t.Errorf("terminal (-want +got):\n%s", diff)
	}
}
