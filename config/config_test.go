package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/httpapi"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// minimal has what no default can give; tests add lines to it or change them.
const minimal = `stream: shop
source:
  addr: mysql.example:3306
  user: repl
  password: {file: /run/credentials/repl}
  tls: {ca: system}
target:
  addr: target.example:3306
  user: applier
  password: {env: TARGET_PASSWORD}
  tls: {ca: aws-rds}
`

func TestDefaults(t *testing.T) {
	got, err := Parse("binseal.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Stream: "shop",
		Source: Source{
			Addr: "mysql.example:3306", User: "repl", Password: mysqlconn.Password{File: "/run/credentials/repl"},
			ServerID: ServerID("shop"), TLS: tlsconf.Config{CA: "system"},
		},
		Target: Target{
			Addr: "target.example:3306", User: "applier", Password: mysqlconn.Password{Env: "TARGET_PASSWORD"},
			TLS: tlsconf.Config{CA: "aws-rds"}, AtRest: AtRest{Require: AtRestAny},
		},
		Start: Start{At: "current"},
		Apply: Apply{Mode: ModeAuto, Sessions: 4, EpochRows: 100_000},
		HTTP:  httpapi.Config{Listen: "127.0.0.1:9621"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// The form of DESIGN.md §5 is a contract with operators' files.
func TestWholeFile(t *testing.T) {
	got, err := Parse("binseal.yaml", []byte(`stream: shop                      # names the stream
source:
  addr: mysql.example:3306
  user: repl
  password: {file: /run/credentials/repl}
  server_id: 4711
  tls: {ca: /etc/binseal/source-ca.pem, mode: verify-ca}
target:
  addr: 127.0.0.1:3307
  user: applier
  password: {env: P}
  tls: {ca: aws-rds, server_name: db.example}
  at_rest: {require: skip}
start: {file: "binlog.000003", pos: 4}
tables: {include: ["shop.*"], exclude: ["shop.tmp_*"], rename: {shop: shop_new, shop.orders: shop.orders_v2}}
apply: {mode: split, sessions: 8, epoch_rows: 500}
http: {listen: "[::1]:0"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Stream: "shop",
		Source: Source{
			Addr: "mysql.example:3306", User: "repl", Password: mysqlconn.Password{File: "/run/credentials/repl"},
			ServerID: 4711, TLS: tlsconf.Config{CA: "/etc/binseal/source-ca.pem", Mode: tlsconf.VerifyCA},
		},
		Target: Target{
			Addr: "127.0.0.1:3307", User: "applier", Password: mysqlconn.Password{Env: "P"},
			TLS: tlsconf.Config{CA: "aws-rds", ServerName: "db.example"}, AtRest: AtRest{Require: AtRestSkip},
		},
		Start: Start{File: "binlog.000003", Pos: 4},
		Tables: schema.FilterConfig{Include: []string{"shop.*"}, Exclude: []string{"shop.tmp_*"},
			Rename: map[string]string{"shop": "shop_new", "shop.orders": "shop.orders_v2"}},
		Apply: Apply{Mode: ModeSplit, Sessions: 8, EpochRows: 500},
		HTTP:  httpapi.Config{Listen: "[::1]:0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// replaced is minimal with one text put in the place of another.
func replaced(old, with string) string { return strings.Replace(minimal, old, with, 1) }

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		where string // Behind the file's name.
		want  string // In what and next together.
	}{
		"an unknown key names the nearest":       {replaced("  user: repl", "  usr: repl"), ":4:3", `unknown key "usr" in source; did you mean "user"`},
		"an unknown key at the top":              {minimal + "aply: {mode: auto}\n", ":12:1", `unknown key "aply"; did you mean "apply"`},
		"an unknown key far from all lists them": {minimal + "telemetry: on\n", ":12:1", "valid keys here are stream, source, target"},
		"an unknown key in a flow section":       {replaced("{ca: system}", "{ca: system, verify: no}"), ":6:21", `unknown key "verify" in source.tls`},
		"a key of another case is unknown":       {replaced("stream:", "Stream:"), ":1:1", `did you mean "stream"`},
		"a key that stands twice":                {minimal + "stream: other\n", ":12:1", "twice"},
		"an empty file":                          {"", "", "empty"},
		"a file of comments":                     {"# nothing\n", "", "empty"},
		"a list instead of a mapping":            {"- a\n", ":1:", "not a YAML mapping"},
		"two documents":                          {minimal + "---\n" + minimal, ":13:", "more than one YAML document"},
		"an open bracket":                        {minimal + "apply: {mode: auto\n", ":12:8", "malformed"},
		"a tab as indentation":                   {"stream: shop\nsource:\n\taddr: x\n", ":3:", "malformed"},
		"an anchor":                              {replaced("stream: shop", "stream: &a shop"), ":1:9", "anchors"},
		"a section that is a text":               {minimal + "apply: fast\n", ":12:8", "its keys are mode, sessions, epoch_rows"},
		"a text where a number belongs":          {minimal + "apply: {sessions: many}\n", ":12:19", "expected a whole number"},
		"a number above its range":               {replaced("  user: repl", "  user: repl\n  server_id: 4294967296"), ":5:14", "does not fit"},
		"a list where a text belongs":            {replaced("user: repl", "user: [repl]"), ":4:9", "expected"},
		"no stream name":                         {replaced("stream: shop\n", ""), ":1:", "1 to 64 characters"},
		"a stream name in capitals":              {replaced("shop", "Shop"), ":1:9", "1 to 64 characters"},
		"a stream name of 65 characters":         {replaced("shop", strings.Repeat("a", 65)), ":1:9", "1 to 64 characters"},
		"an address without a port":              {replaced("mysql.example:3306", "mysql.example"), ":3:9", "source.addr is not host:port"},
		"an address with port 0":                 {replaced("target.example:3306", "target.example:0"), ":8:9", "target.addr has no port"},
		"no user":                                {replaced("  user: applier\n", ""), ":8:3", "target.user is missing"},
		"no password":                            {replaced("  password: {env: TARGET_PASSWORD}\n", ""), ":8:3", "target.password: missing"},
		"two references":                         {replaced("{env: TARGET_PASSWORD}", "{env: A, file: b}"), ":10:", "file and env are set"},
		"an empty password":                      {replaced(" {env: TARGET_PASSWORD}", ""), ":10:", "target.password is empty"},
		"a systemd credential with a path":       {replaced("{env: TARGET_PASSWORD}", "{systemd: ../shadow}"), ":10:", "not the name of a credential"},
		"an alias of a key":                      {replaced("  tls: {ca: aws-rds}", "  tls: {ca: aws-rds}\n  at_rest: {require: \"arn:aws:kms:eu-west-1:111122223333:alias/x\"}"), ":12:22", "not the ARN of a KMS key"},
		"a cluster with its domain":              {replaced("  tls: {ca: aws-rds}", "  tls: {ca: aws-rds}\n  at_rest: {cluster: shop.example}"), ":12:22", "not the identifier of a cluster"},
		"another at-rest policy":                 {replaced("  tls: {ca: aws-rds}", "  tls: {ca: aws-rds}\n  at_rest: {require: none}"), ":12:22", "not any, cmk"},
		"an empty at-rest policy":                {replaced("  tls: {ca: aws-rds}", "  tls: {ca: aws-rds}\n  at_rest: {require: \"\"}"), ":12:22", "not any, cmk"},
		"no CA":                                  {replaced("  tls: {ca: system}\n", ""), ":3:3", "source.tls.ca"},
		"a TLS mode that is none":                {replaced("{ca: system}", "{ca: system, mode: off}"), ":6:", "source.tls.mode"},
		"an old target":                          {replaced("  tls: {ca: aws-rds}", "  tls: {ca: aws-rds, legacy: true}"), ":11:", "target.tls.legacy is for sources only"},
		"server_id 0":                            {replaced("  user: repl", "  user: repl\n  server_id: 0"), ":5:14", "server_id 0"},
		"two places to start":                    {minimal + "start: {at: current, gtid: \"\"}\nhttp: {listen: x}\n", ":13:", "http"},
		"a start at another place":               {minimal + "start: {at: yesterday}\n", ":12:13", "start.at is not current"},
		"two starts":                             {minimal + "start: {at: current, file: binlog.000001, pos: 4}\n", ":12:", "more than one place"},
		"a rule's unknown key":                   {minimal + "ddl:\n  rules:\n    - match: {kinds: x}\n", ":14:15", `did you mean "kind"`},
		"a rule's unknown action":                {minimal + "ddl:\n  rules:\n    - {match: {kind: DROP VIEW}, do: skip}\n    - match: {kind: DROP VIEW}\n      do: ignore\n", ":16:11", "ddl.rules[1]: do is not apply, skip or rewrite"},
		"a rule for a kind that nothing has":     {minimal + "ddl:\n  rules:\n    - match: {kind: DROP VEIW}\n      do: skip\n", ":14:21", "no statement has such a kind"},
		"a rewrite to a change of rows":          {minimal + "ddl:\n  rules:\n    - match: {table: a.b}\n      do: rewrite\n      with: DELETE FROM a.b\n", ":16:13", "not DDL"},
		"a rule without a match":                 {minimal + "ddl:\n  rules:\n    - do: skip\n", ":14:7", "match is missing"},
		"rules that are a text":                  {minimal + "ddl: {rules: all}\n", ":12:14", "expected a sequence"},
		"an empty start":                         {minimal + "start: {}\n", ":12:8", "no place to begin"},
		"a GTID set that is none":                {minimal + "start: {gtid: \"x:1\"}\n", ":12:15", "not a GTID set"},
		"a position without a file":              {minimal + "start: {pos: 4}\n", ":12:", "needs start.file"},
		"a file without a position":              {minimal + "start: {file: binlog.000001}\n", ":12:", "not a place"},
		"a position inside the magic":            {minimal + "start: {file: binlog.000001, pos: 3}\n", ":12:", "not a place"},
		"a file that is no binary log":           {minimal + "start: {file: binlog, pos: 4}\n", ":12:", "not a place"},
		"a mode that is none":                    {minimal + "apply: {mode: fast}\n", ":12:15", "not auto, strict or split"},
		"no sessions":                            {minimal + "apply: {sessions: 0}\n", ":12:19", "not from 1 to 32"},
		"no rows in an epoch":                    {minimal + "apply: {epoch_rows: 0}\n", ":12:21", "not from 1 to 100000"},
		"too many rows in an epoch":              {minimal + "apply: {epoch_rows: 100001}\n", ":12:21", "not from 1 to 100000"},
		"too many sessions":                      {minimal + "apply: {sessions: 33}\n", ":12:19", "not from 1 to 32"},
		"a route to two tables":                  {minimal + "tables:\n  rename:\n    a.x: c.t\n    b.x: c.t\n", ":15:5", "two entries have one target"},
		"a route in a chain":                     {minimal + "tables: {rename: {a: b, \"b\": c}}\n", ":12:19", "itself the source of an entry"},
		"a route into a system schema":           {minimal + "tables: {rename: {a: mysql}}\n", ":12:19", "system schema"},
		"a list of routes":                       {minimal + "tables: {rename: [a, b]}\n", ":12:", ""},
		"a pattern without a table":              {minimal + "tables: {include: [\"shop.\"]}\n", ":12:19", "tables.include:"},
		"a listener that others could reach":     {minimal + "http: {listen: \"0.0.0.0:9621\"}\n", ":12:16", "not a loopback address"},
		"a merge key":                            {replaced("  user: repl", "  <<: {user: repl}"), ":4:3", "merge keys"},
		"a NUL byte":                             {"stream: a\x00b\n", "", "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(test.text))
			f := change.FaultOf(err)
			if f == nil {
				t.Fatalf("error %v, want a fault", err)
			}
			if f.Code != "BS-CONFIG" || f.Class != change.ClassConfig || f.Next == "" {
				t.Errorf("fault %+v, want BS-CONFIG of class 2 with a next step", f)
			}
			if !strings.HasPrefix(f.Where, "f.yaml"+test.where) {
				t.Errorf("where %s, want f.yaml%s", f.Where, test.where)
			}
			if text := f.What + "; " + f.Next; !strings.Contains(text, test.want) {
				t.Errorf("%s: want %q in it", text, test.want)
			}
		})
	}
}

// Invariant 9: a secret that an operator wrote into the file by mistake reaches no error, whatever is wrong with
// the line that it stands in.
func TestSecretsInTheFileAreRefusedAndNotShown(t *testing.T) {
	const secret = "hunter2"
	for name, password := range map[string]string{
		"a plain value":             "hunter2",
		"a quoted value":            `"hunter2"`,
		"a list":                    "[hunter2]",
		"a flow mapping of the key": "{hunter2}",
		"a mapping with that key":   "{hunter2: x}",
		"an unknown key's value":    "{value: hunter2}",
		"a tagged value":            "!!str hunter2",
		"an anchored value":         "&a hunter2",
		"an alias":                  "*hunter2",
		"a block value":             "|\n    hunter2",
		"a bad block header":        "|hunter2",
		"an open quote":             `"hunter2`,
		"an open bracket":           "{file: hunter2",
		"a nested mapping":          "{file: {hunter2: hunter2}}",
		"a list for file":           "{file: [hunter2]}",
		"a reserved character":      "@hunter2",
		"a percent sign":            "%hunter2",
		"two colons":                "a: hunter2: b",
		"a boolean for iam":         "{iam: hunter2}",
		"a tab before it":           "\thunter2: x",
		"a bad escape":              `"\hunter2"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(replaced("{file: /run/credentials/repl}", password)))
			f := change.FaultOf(err)
			if f == nil {
				t.Fatalf("error %v, want a fault", err)
			}
			if text := f.Error() + f.Next; strings.Contains(text, secret) {
				t.Errorf("the error shows the secret: %s", text)
			}
			if !strings.Contains(f.Where, "f.yaml:") {
				t.Errorf("where %q, want a line", f.Where)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "binseal.yaml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Stream != "shop" {
		t.Errorf("Load = %v, %v", c, err)
	}
	for name, path := range map[string]string{"a missing file": filepath.Join(dir, "absent.yaml"), "a folder": dir} {
		_, err := Load(path)
		if f := change.FaultOf(err); f == nil || f.Class != change.ClassConfig || f.Where != path || f.Next == "" {
			t.Errorf("%s: %v, want BS-CONFIG at %s", name, err, path)
		}
	}
}

func TestServerID(t *testing.T) {
	if a, b := ServerID("shop"), ServerID("shop2"); a == b || a < 1<<31 || b < 1<<31 {
		t.Errorf("ServerID gives %d and %d, want two numbers from 2^31 on", a, b)
	}
	// Stable over releases: another id would look to the source like another replica.
	if got := ServerID("shop"); got != 2823282857 {
		t.Errorf("ServerID(shop) = %d: the derivation has changed", got)
	}
}

func TestHash(t *testing.T) {
	hash := func(text string) string {
		c, err := Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		h, err := c.Hash()
		if err != nil || len(h) != 64 {
			t.Fatalf("Hash = %q, %v, want 64 hex digits", h, err)
		}
		return h
	}
	base := hash(minimal + "tables: {include: [\"shop.*\"]}\n")
	if hash(minimal+"tables: {include: [\"shop.*\"]}\napply: {mode: split, sessions: 9}\nhttp: {listen: \"127.0.0.1:1\"}\n") != base {
		t.Error("the hash depends on how epochs are committed or watched, not only on what is in them")
	}
	if hash(minimal+"tables: {include: [\"shop.*\"], exclude: [\"shop.x\"]}\n") == base {
		t.Error("the hash does not depend on the filter")
	}
	if hash(minimal+"tables: {include: [\"shop.*\"], rename: {shop: shop_new}}\n") == base {
		t.Error("the hash does not depend on the routes")
	}
	if hash(minimal+"tables: {include: [\"shop.*\"]}\nddl: {rules: [{match: {kind: DROP VIEW}, do: skip}]}\n") == base {
		t.Error("the hash does not depend on the rules for DDL")
	}
}

func TestRedactedShowsReferencesAndDefaults(t *testing.T) {
	c, err := Parse("f.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"stream: shop", "file: /run/credentials/repl", "sessions: 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("printed config has no %q:\n%s", want, text)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"sesions": "sessions", "mod": "mode", "MODE": "mode", "m": "", "sessionscount": "", "": ""} {
		if got, _ := nearest(word, []string{"mode", "sessions"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal)
	f.Add("stream: [a\nsource: {password: x}")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		if _, err := Parse("f.yaml", []byte(text)); err != nil && change.FaultOf(err) == nil {
			t.Errorf("error without a code: %v", err)
		}
	})
}
