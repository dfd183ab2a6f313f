package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/stream"
)

// quietEvery is how often the live line is printed where it cannot be rewritten in place.
const quietEvery = 2 * time.Second

// console tells the story; the live line is rewritten in place on a terminal. It is not safe for concurrent use.
type console struct {
	out      io.Writer
	terminal bool
	width    int // Of the live line that stands on the terminal; 0 when there is none.
	lastLive time.Time
}

func newConsole(out io.Writer) *console {
	c := &console{out: out}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			c.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return c
}

// say prints a line that stays.
func (c *console) say(format string, args ...any) {
	if c.width > 0 {
		fmt.Fprintf(c.out, "\r%s\r", strings.Repeat(" ", c.width))
		c.width = 0
	}
	fmt.Fprintf(c.out, format+"\n", args...)
}

// live shows a line that the next one replaces.
func (c *console) live(line string) {
	if !c.terminal {
		if time.Since(c.lastLive) >= quietEvery {
			c.lastLive = time.Now()
			fmt.Fprintln(c.out, line)
		}
		return
	}
	fmt.Fprintf(c.out, "\r%-*s", c.width, line)
	c.width = max(c.width, len(line))
}

// meter turns two looks at the daemon into rates.
type meter struct {
	demo    *demo
	began   time.Time
	at      time.Time
	written int64 // Transactions of the load's clients.
	applied int64 // Transactions that the target has, by the count of its GTID set: it survives a restart.
}

func (d *demo) newMeter() *meter {
	now := time.Now()
	return &meter{demo: d, began: now, at: now, written: d.load.transactions.Load()}
}

// line asks the daemon and describes what happened since the last call.
func (m *meter) line(ctx context.Context) string {
	now, written := time.Now(), m.demo.load.transactions.Load()
	seconds := max(now.Sub(m.at).Seconds(), 0.001)
	text := fmt.Sprintf("%8s source %6.0f tx/s", now.Sub(m.began).Round(100*time.Millisecond), float64(written-m.written)/seconds)
	lag, err := m.demo.daemon.lag(ctx)
	if err != nil {
		m.at, m.written = now, written
		return text + "  | daemon does not answer"
	}
	applied := m.applied
	if set, err := change.ParseGTIDSet(lag.Applied.GTID); err == nil {
		applied = set.Count()
	}
	if m.applied > 0 {
		text += fmt.Sprintf("  | target %6.0f tx/s", float64(applied-m.applied)/seconds)
	} else {
		text += "  | target        tx/s"
	}
	m.at, m.written, m.applied = now, written, applied
	return text + "  " + distance(lag)
}

// distance words how far the target is behind; what the daemon does not know yet is a question mark, not 0.
func distance(lag stream.Lag) string {
	seconds, bytes := "?", "?"
	if lag.LagSeconds != nil {
		seconds = fmt.Sprintf("%.3f", *lag.LagSeconds)
	}
	if lag.Behind != nil {
		bytes = fmt.Sprint(lag.Behind.Bytes)
	}
	return fmt.Sprintf("lag %s s  behind %s bytes  %s", seconds, bytes, lag.State)
}
