package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testaws"
	"github.com/binseal/binseal/stream"
)

// What must show nowhere (invariant 9): values of rows, passwords, AWS's credentials.
const (
	rowCanary      = "canary-row-7f3a"
	keyCanary      = "canary-key-91bc"
	passwordCanary = "canary-password-e2d4"
	awsCanary      = "secret-access-key-canary" // testaws.Env has it.
)

// canaries looks at all that a daemon shows, while it runs and of its process.
type canaries struct {
	mu    sync.Mutex // Guards seen and looks.
	seen  map[string]bool
	looks int
}

// look greps one text.
func (c *canaries) look(where, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	for _, canary := range []string{rowCanary, keyCanary, passwordCanary, awsCanary} {
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
			if strings.Contains(text, form) {
				c.seen[where+": "+canary] = true
			}
		}
	}
}

// watch looks at every page of a daemon and its command line until ctx ends, and at its log then. The servers' lists of
// processes are not looked at: statements hold values there while they run, and whoever may see those may see the tables.
func (c *canaries) watch(ctx context.Context, d *Daemon) {
	for ctx.Err() == nil {
		for _, page := range []string{"/status", "/lag", "/metrics", "/healthz", "/readyz", "/debug/pprof/", "/"} {
			if text, err := d.read(ctx, page); err == nil {
				c.look(page, text)
			}
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", d.cmd.Process.Pid)); err == nil {
			c.look("command line", string(line))
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	c.look("log", d.Log())
}

// verdict fails the test for what was seen.
func (c *canaries) verdict(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for where := range c.seen {
		t.Error(where)
	}
}

// Invariant 9, under faults on both legs (TestStreamComesBackFromFaults has all others), and at every halt that a row, a statement or a login can cause:
// logs, pages, metrics, errors and the command line show no row value and no secret.
func TestCanariesShowNowhere(t *testing.T) {
	aws := testaws.New(t)
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop"
	aws.Set(func(a *testaws.AWS) {
		a.Secrets[arn] = testaws.Secret{Current: fmt.Sprintf(`{"username":"applier","password":%q}`, passwordCanary)}
	})
	r := NewRig(t, Options{Mode: "auto", Seed: seed(t)})
	r.TargetPassword, r.Env = fmt.Sprintf("{aws_secret: %q}", arn), aws.Env()
	r.Target.Exec(t, "ALTER USER applier IDENTIFIED BY '"+passwordCanary+"'")
	r.Source.Exec(t, "ALTER USER repl IDENTIFIED BY '"+passwordCanary+"'")
	must(t, os.WriteFile(r.path("password"), []byte(passwordCanary), 0o600))
	c := &canaries{seen: map[string]bool{}}
	d := r.Start(t, Normal)
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watch := func(d *Daemon) { watching.Go(func() { c.watch(ctx, d) }) }
	watch(d)
	d.Await(t, 30*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	r.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.people (id VARCHAR(60) PRIMARY KEY, mail VARCHAR(80) UNIQUE, note TEXT)")
	r.AwaitCaughtUp(t, d, time.Minute)

	// Rows flow while both legs break.
	n := 0
	write := func() {
		n++
		r.Source.Exec(t, fmt.Sprintf("INSERT INTO shop.people VALUES ('%s-%d', '%s-%d@example.com', '%s')", keyCanary, n, rowCanary, n, strings.Repeat(rowCanary+" ", 40)),
			fmt.Sprintf("UPDATE shop.people SET note='%s' WHERE id='%s-%d'", rowCanary, keyCanary, n))
	}
	for _, p := range []*faultproxy.Proxy{r.SourceProxy, r.TargetProxy} {
		for _, hurt := range []func(){
			func() { p.Cut(faultproxy.RST) },
			func() {
				p.CutAfter(faultproxy.ToClient, 700, faultproxy.RST)
				p.Cut(faultproxy.FIN)
				time.Sleep(300 * time.Millisecond)
				p.CutAfter(faultproxy.ToClient, -1, faultproxy.RST)
			},
			func() {
				p.SwallowReplies()
				write()
				time.Sleep(200 * time.Millisecond)
				p.Flow()
				p.Cut(faultproxy.RST)
			},
			func() { p.Refuse(true); p.Cut(faultproxy.RST); time.Sleep(500 * time.Millisecond); p.Refuse(false) },
		} {
			write()
			hurt()
			write()
			r.AwaitCaughtUp(t, d, time.Minute)
		}
	}
	aws.Fail("GetSecretValue", testaws.Denied, 2) // AWS's own text names the caller.
	r.Target.Exec(t, "ALTER USER applier IDENTIFIED BY 'another'")
	r.TargetProxy.Cut(faultproxy.RST)
	d.Await(t, 20*time.Second, "refused", func(st stream.Status) bool { return st.Problem != nil && st.Problem.Code == "BS-AUTH-REFUSED" })
	r.Target.Exec(t, "ALTER USER applier IDENTIFIED BY '"+passwordCanary+"'")
	r.AwaitCaughtUp(t, d, time.Minute)

	// Every way in which a row or a statement can halt the stream, its texts quoting values.
	halts := []struct {
		name   string
		target []string // Before.
		source string
		repair []string // On the target.
	}{
		{"a key that is there", []string{fmt.Sprintf("INSERT INTO shop.people VALUES ('%s-dup', 'x', 'x')", keyCanary)}, fmt.Sprintf("INSERT INTO shop.people VALUES ('%s-dup', 'y', '%s')", keyCanary, rowCanary),
			[]string{fmt.Sprintf("DELETE FROM shop.people WHERE id='%s-dup'", keyCanary)}},
		{"a unique value that is there", []string{fmt.Sprintf("INSERT INTO shop.people VALUES ('other', '%s@dup', 'x')", rowCanary)}, fmt.Sprintf("INSERT INTO shop.people VALUES ('%s-mail', '%s@dup', 'x')", keyCanary, rowCanary),
			[]string{"DELETE FROM shop.people WHERE id='other'"}},
		{"a row that is not there", []string{fmt.Sprintf("DELETE FROM shop.people WHERE id='%s-1'", keyCanary)}, fmt.Sprintf("UPDATE shop.people SET note='%s again' WHERE id='%s-1'", rowCanary, keyCanary),
			[]string{fmt.Sprintf("INSERT INTO shop.people VALUES ('%s-1', '%s-1@example.com', '%s')", keyCanary, rowCanary, rowCanary)}},
		{"a statement that fails", []string{"CREATE TABLE shop.made (i INT)"}, "CREATE TABLE shop.made (i INT, v VARCHAR(40) DEFAULT '" + rowCanary + "')", []string{"DROP TABLE shop.made"}},
	}
	for _, h := range halts {
		r.Target.Exec(t, h.target...)
		r.Source.Exec(t, h.source)
		st := d.Await(t, 60*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
		t.Logf("%s: %s: %s; %s", h.name, st.Problem.Code, st.Problem.What, st.Problem.Next)
		for _, args := range [][]string{{"check"}, {"check", "--json"}, {"position"}, {"evidence"}, {"print", "iam-policy"}, {"status", "--addr", d.listen}} {
			_, out := r.Command(t.Context(), t, args...)
			c.look(strings.Join(args, " "), out)
		}
		d.Kill()
		c.look("log", d.Log())
		r.Target.Exec(t, h.repair...)
		d = r.Start(t, Normal)
		watch(d)
		r.AwaitCaughtUp(t, d, time.Minute)
	}
	d.Stop(t)
	stop()
	watching.Wait()
	c.look("log", d.Log())
	c.verdict(t)
	if c.looks < 100 {
		t.Errorf("%d looks: too few to prove anything", c.looks)
	}
	r.Equal(t)
}
