package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/binseal/binseal/httpapi"
)

// config is the binseal.yaml that the demo wrote.
type config struct {
	path   string
	listen string // The daemon's HTTP address.
}

// yaml is the file; its verbs are the listen address, and per side address, password file and CA file.
const yaml = `# Written by binseal demo.
stream: demo
source:
  addr: %[2]s
  user: repl
  password: {file: %[3]q}
  tls: {ca: %[4]q}
target:
  addr: %[5]s
  user: applier
  password: {file: %[6]q}
  tls: {ca: %[7]q}
  at_rest: {require: any}
start: {at: current}
tables: {include: ["shop.*"]}
apply: {mode: auto, sessions: 4}
http: {listen: "%[1]s"}
`

// writeConfig makes both accounts, each with a password of its own in a file, and the config.
func (d *demo) writeConfig(ctx context.Context) (config, error) {
	c := config{path: filepath.Join(d.dir, "binseal.yaml"), listen: listenAddress()}
	passwords := map[string]string{}
	for _, user := range []string{"repl", "applier"} {
		passwords[user] = rand.Text()
		if err := os.WriteFile(d.passwordFile(user), []byte(passwords[user]+"\n"), 0o600); err != nil {
			return c, err
		}
	}
	if err := d.source.CreateReplicationUser(ctx, "repl", passwords["repl"]); err != nil {
		return c, err
	}
	if err := d.target.CreateApplierUser(ctx, "applier", passwords["applier"], schemaName); err != nil {
		return c, err
	}
	text := fmt.Sprintf(yaml, c.listen,
		d.source.Addr, d.passwordFile("repl"), d.source.CAFile,
		d.target.Addr, d.passwordFile("applier"), d.target.CAFile)
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		return c, err
	}
	d.out.say("config:  %s", c.path)
	return c, nil
}

func (d *demo) passwordFile(user string) string { return filepath.Join(d.dir, user+".password") }

// listenAddress is the default address, or a free one when somebody else has it.
func listenAddress() string {
	for _, addr := range []string{httpapi.DefaultListen, "127.0.0.1:0"} {
		if l, err := net.Listen("tcp", addr); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	return httpapi.DefaultListen // The daemon then says what is wrong with it.
}
