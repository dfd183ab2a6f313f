package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/demo"
)

type demoCommand struct {
	Dir     string        `placeholder:"DIR" help:"Keep servers, config and logs in this folder, which must not exist; default: a temporary one, removed at the end."`
	Load    time.Duration `placeholder:"DURATION" help:"How long clients write; default 20s."`
	Clients int           `placeholder:"N" help:"How many clients of each kind; default 4."`
	Hold    bool          `env:"DEMO_HOLD" help:"Stay up after the proof, for a look at /lag, /status and /metrics."`
}

// Run shows a stream on real servers, with this program as the daemon. The story goes to stdout; with --json it
// goes to stderr, and stdout gets the result alone.
func (d demoCommand) Run(a *app) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	out := a.stdout
	if a.json {
		out = a.stderr
	}
	err = demo.Run(ctx, demo.Options{Binary: binary, Out: out, Dir: d.Dir, Load: d.Load, Clients: d.Clients, Hold: d.Hold})
	if err != nil {
		if change.FaultOf(err) != nil {
			return err
		}
		return &change.Fault{
			Code: "BS-DEMO", Class: change.ClassRuntime, What: err.Error(),
			Next: "look into the folder that the demo has kept and named",
		}
	}
	if a.json {
		writeJSON(a.stdout, map[string]any{"ok": true})
	}
	return nil
}
