package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/testmysql"
)

// A load's metadata gives the start of a stream, checked against the source; the stream goes on there and ends equal. Places
// that the source does not have are refused.
func TestStartOfALoad(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	for _, s := range []*testmysql.Server{r.Source, r.Target} { // The load: both sides have the table, the log has more than it.
		s.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.people (id INT PRIMARY KEY, name VARCHAR(20))", "INSERT INTO shop.people VALUES (1,'before')")
	}
	file, pos, gtids, err := r.Source.LogEnd(t.Context())
	must(t, err)
	gtids = strings.ReplaceAll(gtids, "\n", "")
	r.Source.Exec(t, "INSERT INTO shop.people VALUES (2,'behind')")
	write := func(name, text string) string {
		path := r.path(name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	xtrabackup := write("xtrabackup_binlog_info", fmt.Sprintf("%s\t%d\t%s\n", file, pos, gtids))
	code, out := r.Command(t.Context(), t, "position", "from-xtrabackup", xtrabackup)
	if want := fmt.Sprintf("start: {gtid: %q}\n", gtids); code != 0 || !strings.HasSuffix(out, want) || !strings.Contains(out, "# the source has it") {
		t.Fatalf("exit code %d, want 0 and %s\n%s", code, want, out)
	}
	r.Extra = out // As an operator would append it.
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, time.Minute)
	r.Equal(t)
	d.Stop(t)
	r.Extra = ""

	var answer struct {
		OK, Checked bool
		Start       map[string]any
	}
	status := write("status.txt", fmt.Sprintf("File: %s\nPosition: %d\n", file, pos))
	code, out = r.Command(t.Context(), t, "position", "from-show-status", "--json", status)
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || !answer.Checked || answer.Start["file"] != file || answer.Start["pos"] != float64(pos) {
		t.Errorf("exit code %d: %v %+v\n%s", code, err, answer, out)
	}
	other := testmysql.StartT(t, testmysql.Options{Name: "other", ServerID: 103, GTID: true, Binlog: true})
	other.Exec(t, "CREATE DATABASE elsewhere")
	_, _, strange, err := other.LogEnd(t.Context())
	must(t, err)
	r.Source.Exec(t, "FLUSH BINARY LOGS")
	for what, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"transactions of another server": {[]string{"from-xtrabackup", write("strange", fmt.Sprintf("%s\t%d\t%s", file, pos, strange))}, 2, "never executed"},
		"the middle of a transaction":    {[]string{"from-show-status", write("middle", fmt.Sprintf("File: %s\nPosition: %d\n", file, pos+7))}, 4, "BS-POSITION-INVALID"},
		"a file that was never there":    {[]string{"from-show-status", write("never", "File: binlog.009999\nPosition: 157\n")}, 4, "BS-SOURCE-BEHIND"},
		"a place that is not checked":    {[]string{"from-show-status", "--offline", write("offline", "File: binlog.009999\nPosition: 157\n")}, 0, "not checked"},
		"a dump that did not finish":     {[]string{"from-mydumper", write("metadata", "# Started dump at: x\n")}, 2, "did not finish"},
		"no such file":                   {[]string{"from-mysqldump", r.path("nothing.sql")}, 2, "BS-START-UNREADABLE"},
		"a dump of MySQL Shell, by path": {[]string{"from-mysqlsh", write("@.json", fmt.Sprintf(`{"consistent":true,"gtidExecuted":%q}`, gtids))}, 2, "@.done.json"},
	} {
		code, out := r.Command(t.Context(), t, append([]string{"position"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q\n%s", what, code, c.code, c.want, out)
		}
	}
}

// The accounts that `binseal print` makes are enough for the stream and for a check without a finding that must change.
func TestPrintedGrantsAreEnough(t *testing.T) {
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	for what, s := range map[string]*testmysql.Server{"grants-source": r.Source, "grants-target": r.Target} {
		code, out := r.Command(t.Context(), t, "print", what)
		if code != 0 {
			t.Fatalf("%s: exit code %d\n%s", what, code, out)
		}
		s.Exec(t, "DROP USER IF EXISTS repl@'%', applier@'%'")
		for statement := range strings.SplitSeq(out, ";\n") {
			if at := strings.Index(statement, "CREATE USER"); at >= 0 {
				statement = strings.Replace(statement[at:], "RANDOM PASSWORD", "'"+password+"'", 1) // What the server would choose and tell.
			}
			if strings.TrimSpace(statement) != "" {
				s.Exec(t, statement)
			}
		}
	}
	r.carrySchema(t)
	d := r.Start(t, Normal)
	load := r.StartLoad(t, 3, Pace(5*time.Millisecond), true)
	time.Sleep(2 * time.Second)
	load.Stop()
	r.AwaitCaughtUp(t, d, time.Minute)
	r.Equal(t)
	d.Stop(t)
	if code, out := r.Command(t.Context(), t, "check"); code != 0 {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
}
