package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/stream"
)

const (
	statusTimeout = 5 * time.Second // The daemon answers from memory.
	statusLimit   = 4 << 20         // Bytes; a status with thousands of table notes is far below.
)

type statusCommand struct {
	Addr string `placeholder:"HOST:PORT" help:"Where the daemon listens, instead of http.listen of the config."`
}

// Run asks the daemon's listener for /status and prints it as one screen, or as it came with --json.
func (s statusCommand) Run(a *app) error {
	addr := s.Addr
	if addr == "" {
		c, err := config.Load(a.config)
		if err != nil {
			return err
		}
		addr = c.HTTP.Listen
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	body, err := ask(ctx, addr)
	if err != nil {
		return err
	}
	if a.json {
		_, err := a.stdout.Write(body)
		return err
	}
	var status stream.Status
	if err := json.Unmarshal(body, &status); err != nil {
		return unreachable(addr, errors.New("the answer is not a status"))
	}
	_, err = io.WriteString(a.stdout, statusText(status))
	return err
}

// ask fetches /status.
func ask(ctx context.Context, addr string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/status", nil)
	if err != nil {
		return nil, unreachable(addr, errors.New("the address is not host:port"))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, unreachable(addr, reasonOf(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, statusLimit))
	if err != nil {
		return nil, unreachable(addr, reasonOf(err))
	}
	if response.StatusCode != http.StatusOK {
		return nil, unreachable(addr, fmt.Errorf("it answers with HTTP status %d", response.StatusCode))
	}
	return body, nil
}

func unreachable(addr string, cause error) *change.Fault {
	return &change.Fault{
		Code: "BS-DAEMON-UNREACHABLE", Class: change.ClassRuntime, Where: addr, Err: cause,
		What: "no daemon of this stream answers", Next: "start it with binseal run, or name its listener with --addr",
	}
}

// reasonOf shortens a network error to what an operator needs.
func reasonOf(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("nothing listens there")
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("no answer within %s", statusTimeout)
	}
	return err
}

// statusText is the screen: state and lag first, what is wrong next, figures behind.
func statusText(s stream.Status) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("stream", "%s", s.Stream)
	line("state", "%s", s.State)
	line("lag", "%s", lagText(s.Lag))
	line("behind", "%s", behindText(s.Lag))
	if p := s.Problem; p != nil {
		line("problem", "%s", p.What)
		line("  code", "%s (exit code %d), %s", p.Code, p.Class, p.At.UTC().Format(time.RFC3339))
		if p.Where != "" {
			line("  where", "%s", p.Where)
		}
		if p.Next != "" {
			line("  next", "%s", p.Next)
		}
	}
	line("applied", "%s", markText(s.Lag.Applied))
	line("source end", "%s", markText(s.Lag.SourceEnd))
	line("source", "%s, server_uuid %s", orDash(s.Source.Version), orDash(s.Source.ServerUUID))
	for _, e := range s.Evidence {
		line("connection", "%s", evidenceText(e))
	}
	if r := s.AtRest; r != nil {
		line("at rest", "%s: %s", r.Result, r.Seen)
	}
	line("apply", "mode %s, last commit %s, epoch %d, owner %s", s.Mode, orDash(s.Committed), s.Epoch, orDash(s.Owner))
	t := s.Totals
	line("done", "%d transactions, %d row changes, %d rows written, %d epochs (%d split), %d DDL",
		t.Transactions, t.RowChanges, t.RowsWritten, t.Epochs, t.SplitEpochs, t.DDL)
	line("runs", "%d from the record, %d reconnects, up since %s", t.Runs, t.Reconnects, s.StartedAt.UTC().Format(time.RFC3339))
	for _, n := range s.Ordered {
		line("in order", "%s: %s", n.Table, n.Why)
	}
	line("version", "%s", s.Version)
	return b.String()
}

// lagText never shows a figure without saying when it is old (invariant 8).
func lagText(l stream.Lag) string {
	switch {
	case l.LagSeconds == nil:
		return "not known: the source's end has never been seen"
	case l.Stale:
		return fmt.Sprintf("%.1f s since it was last known to be caught up; stale: the source cannot be asked", *l.LagSeconds)
	case l.CaughtUp:
		return fmt.Sprintf("%.3f s, caught up", *l.LagSeconds)
	default:
		return fmt.Sprintf("%.3f s", *l.LagSeconds)
	}
}

func behindText(l stream.Lag) string {
	if l.Behind == nil {
		return "not known: the source's end has never been seen"
	}
	about := "about "
	if l.Behind.Exact {
		about = ""
	}
	text := fmt.Sprintf("%d bytes, %s%d transactions", l.Behind.Bytes, about, l.Behind.Transactions)
	switch {
	case l.ETAState == stream.ETANever:
		return text + ", does not get nearer: the source writes as fast as the target applies"
	case l.ETAState == stream.ETAOK && l.ETASeconds != nil:
		return fmt.Sprintf("%s, caught up in about %s", text, time.Duration(*l.ETASeconds*float64(time.Second)).Round(time.Second))
	}
	return text
}

func markText(m stream.Mark) string {
	if m.File == "" && m.GTID == "" {
		return "-"
	}
	text := fmt.Sprintf("%s:%d", m.File, m.Pos)
	if m.GTID != "" {
		text += " " + m.GTID
	}
	return text
}

// evidenceText shows what a leg's handshake proved. It reads the JSON form, which is the contract.
func evidenceText(e any) string {
	m, ok := e.(map[string]any)
	if !ok {
		return "-"
	}
	text := fmt.Sprintf("%v %v %v %v", m["leg"], m["peer"], m["version"], m["cipher"])
	if curve, _ := m["curve"].(string); curve != "" {
		text += " " + curve
	}
	text = fmt.Sprintf("%s, %v, certificate until %v", text, m["verified"], m["not_after"])
	if weak, _ := m["weak"].(bool); weak {
		text += fmt.Sprintf("; WEAK: %v (tls.legacy)", m["weak_reason"])
	}
	return text
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
