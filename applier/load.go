package applier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/rowimage"
)

// Many inserts into one table go by LOAD DATA: it costs the target a fifth less than INSERT (rowimage/load.go and
// docs/decisions/0030-load-data.md). It is lenient: what it changed or left out are warnings and a count. If it does not give
// the count of the rows and no warning, the epoch is applied again with INSERT, whose errors tell what is wrong.

// loadFrom is how many rows are loaded at least: the server asks for the file, a round trip more, and loading saves some
// two microseconds a row. Tests lower it.
var loadFrom = 500

// loadsAgain is for how long nothing is loaded when loading has failed: the epoch may have been at fault, or the target may have
// changed a setting, but each failure costs a run and the work of an epoch.
const loadsAgain = time.Hour

const (
	loadVerb = "load"
	// loadChunk is what the driver is given at a time, in bytes: a little less than it takes, 16 KiB, which with the packet's
	// header would make two TLS records.
	loadChunk = 15 << 10
)

// loadError is what went wrong with loading, where INSERT may go well or tell more: a refusal (local_infile was switched off),
// warnings.
type loadError struct{ error }

func (e *loadError) Unwrap() error { return e.error }

// loadFailed reports that loading is what has failed.
func loadFailed(err error) bool {
	if m, ok := errors.AsType[*mismatch](err); ok {
		return m.verb == loadVerb
	}
	_, ok := errors.AsType[*loadError](err)
	return ok
}

// mayLoad reports whether the epoch's inserts may be loaded: not where care is asked for, so that a row that the target does
// not take is found.
func (a *Applier) mayLoad(e *epoch) bool {
	return a.loads && !e.recovery && !time.Now().Before(a.cfg.Careful.NoLoadsUntil) && !a.cfg.Careful.covers(e)
}

// load sends rows as the lines of one file. The rest are those which a line cannot express.
func (w *writer) load(l *rowimage.Layout, rows []*netChange) (rest []*netChange, err error) {
	rows, rest, err = apart(rows, func(c *netChange) (bool, error) {
		loads, err := l.LoadsRow(c.after)
		return !loads, err
	})
	if err != nil || len(rows) == 0 {
		return rest, err
	}
	if err := w.sendAll(); err != nil {
		return nil, err
	}
	x := expectation{count: int64(len(rows)), verb: loadVerb, table: l.Table()}
	w.expects = append(w.expects, x)
	w.statements++
	return rest, w.ask(func() ([]int64, error) {
		loaded, warnings, err := w.session.load(w.ctx, l.LoadInto(), &lines{layout: l, rows: rows})
		if _, server := mysqlconn.Number(err); server && !mysqlconn.Retryable(err) {
			err = &loadError{err}
		} else if err == nil && warnings > 0 {
			err = &loadError{fmt.Errorf("load of %s: %d rows of %d, with %d warnings", x.where(), loaded, x.count, warnings)}
		}
		return []int64{loaded}, err
	})
}

// lines is a file of rows. It is made while it is read: nothing of it is kept.
type lines struct {
	layout *rowimage.Layout
	rows   []*netChange
	buf    []byte // Holds the chunk that is being read.
	unread []byte // Its rest.
}

// Read gives the next part of the file.
func (f *lines) Read(p []byte) (int, error) {
	if len(f.unread) == 0 {
		f.buf = f.buf[:0]
		for len(f.rows) > 0 && len(f.buf) < loadChunk {
			var err error
			if f.buf, err = f.layout.AppendLine(f.buf, f.rows[0].after); err != nil {
				return 0, err
			}
			f.rows = f.rows[1:]
		}
		if f.unread = f.buf; len(f.unread) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p[:min(len(p), loadChunk)], f.unread)
	f.unread = f.unread[n:]
	return n, nil
}

// load is exec for LOAD DATA.
func (s *session) load(ctx context.Context, into string, file io.Reader) (loaded, warnings int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, done := s.pending.send(ctx)
	defer done()
	loaded, warnings, err = s.conn.Load(ctx, into, file)
	s.used = time.Now()
	return loaded, warnings, lostOr(ctx, err)
}
