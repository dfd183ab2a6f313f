// Command binseal streams a MySQL source into an encrypted MySQL or Aurora target over verified TLS, exactly once.
// Each verb has a file of its own; this one has the grammar and the exit codes (DESIGN.md §5). Only here are the
// packages wired together, and nothing imports it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/binseal/binseal/change"
)

// grammar is the command line.
type grammar struct {
	Config string `short:"c" name:"config" default:"binseal.yaml" placeholder:"FILE" help:"The stream's config file (default: ${default})."`
	JSON   bool   `name:"json" help:"Answer in JSON on stdout; for run: log in JSON."`

	Run      runCommand      `cmd:"" help:"Stream until told to stop: the daemon."`
	Check    checkCommand    `cmd:"" help:"Look at both servers' settings, privileges and tables, and say what to change."`
	Status   statusCommand   `cmd:"" help:"Show what the running daemon does, and its lag."`
	Position positionCommand `cmd:"" help:"Show where a stream stands, skip a transaction, or set where it goes on."`
	Print    printCommand    `cmd:"" help:"Print least-privilege documents: the IAM policy, the grants on both servers."`
	Evidence evidenceCommand `cmd:"" help:"Prove what is encrypted: a dated report of both legs and the target's disks, for an auditor's file."`
	Demo     demoCommand     `cmd:"" help:"Fetch real MySQL servers and show a stream: load, kill, resume, compare."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// app is what every command gets: where its config is and where its words go.
type app struct {
	config         string
	json           bool
	stdout, stderr io.Writer
}

// exitCode ends the process with a code when everything has been said already.
type exitCode int

// Error gives the code as text, for a caller that prints it against its purpose.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs one command line and gives the exit code: 0 done, 1 failed at run time, 2 bad config or usage, 3 the
// environment refuses, 4 needs a person.
func execute(args []string, stdout, stderr io.Writer) (code int) {
	// kong ends the process by itself after --help; the panic brings that back here, so that tests can call execute.
	type ended struct{ code int }
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(ended)
			if !ok {
				panic(r)
			}
			code = e.code
		}
	}()
	var g grammar
	parser := kong.Must(&g, kong.Name("binseal"),
		kong.Description("Streams a MySQL source into an encrypted MySQL or Aurora target, over verified TLS, exactly once.\n\n"+
			"Exit codes: 0 done, 1 failed at run time, 2 bad config or usage, 3 the environment refuses (credentials, TLS, privileges), 4 needs a person."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(ended{code}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	parsed, err := parser.Parse(args)
	if err != nil {
		// Whatever kong's own code (80), bad usage is class 2.
		f := &change.Fault{Code: "BS-USAGE", Class: change.ClassConfig, What: err.Error(), Next: "see binseal --help"}
		return report(f, slices.Contains(args, "--json"), stdout, stderr)
	}
	a := &app{config: g.Config, json: g.JSON, stdout: stdout, stderr: stderr}
	return report(parsed.Run(a), a.json, stdout, stderr)
}

// report prints err for a person or a script and gives its exit code.
func report(err error, asJSON bool, stdout, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	f := faultOf(err)
	if asJSON {
		writeJSON(stdout, failureOf(f))
	} else {
		io.WriteString(stderr, failureText(f))
	}
	return int(f.Class)
}
