package checkpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// Look reads where a stream stands without claiming it. A stream that has never run is Fresh. Errors as of Take.
func Look(ctx context.Context, s *mysqlconn.Session, stream string) (State, error) {
	var tables int
	const q = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='binseal' AND TABLE_NAME='progress'"
	if err := s.QueryRow(ctx, q).Scan(&tables); err != nil {
		return State{}, mysqlconn.Describe(s.Leg, "look for the control tables", err)
	}
	if tables == 0 {
		return State{Fresh: true}, nil
	}
	c := Claim{opts: Options{Stream: stream}}
	rows, err := c.read(ctx, s, "")
	if err != nil {
		return State{}, err
	}
	return stateOf(rows, hashOf(rows))
}

// hashOf is the hash under which the rows were last claimed: whoever looks has no configuration of its own to hold
// against theirs.
func hashOf(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	return rows[0].hash
}

// Move is a checkpoint that a person sets, and what belongs to it in the same commit.
type Move struct {
	To   change.Checkpoint
	Held []string // Statements on the table of held objects.
}

// Reposition moves a stream that no daemon runs: decide gets its state and gives the new checkpoint, which is written
// under a new owner. So a daemon that comes back meets the fence, one that still has sessions on the target refuses the
// move, and two moves at once follow each other.
//
// Errors: BS-STREAM-RUNNING, those of decide and of Take. After an error of the COMMIT itself Look tells what holds.
func Reposition(ctx context.Context, s *mysqlconn.Session, stream string, decide func(State) (Move, error)) error {
	return Relocate(ctx, s, stream, false, decide)
}

// Relocate is Reposition; with anew set the target has been loaded again, so that nothing of the old rows counts, not
// even whether they make sense: they are replaced, and decide gets a Fresh state.
func Relocate(ctx context.Context, s *mysqlconn.Session, stream string, anew bool, decide func(State) (Move, error)) (err error) {
	if err := ensureTables(ctx, s); err != nil {
		return err
	}
	c := Claim{opts: Options{Stream: stream}}
	if c.server, err = identify(ctx, s); err != nil {
		return err
	}
	if err := c.idle(ctx, s); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = s.Exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if _, err := s.Exec(ctx, fmt.Sprintf("SET innodb_lock_wait_timeout=%d; START TRANSACTION", lockSeconds)); err != nil {
		return mysqlconn.Describe(s.Leg, "begin the move", err)
	}
	var sql string
	if anew {
		sql, err = c.replaced(ctx, s, decide)
	} else {
		sql, err = c.moved(ctx, s, decide)
	}
	if err != nil {
		return err
	}
	sql += fmt.Sprintf("; DELETE FROM `binseal`.`session` WHERE stream=%s; COMMIT", quote(stream))
	_, err = s.Exec(ctx, sql)
	return mysqlconn.Describe(s.Leg, "move the checkpoint", err)
}

// idle refuses to move a stream whose daemon has sessions on the target. A daemon that is between two runs has none;
// it meets the fence.
func (c *Claim) idle(ctx context.Context, s *mysqlconn.Session) error {
	ids, err := c.registered(ctx, s)
	if err != nil {
		return err
	}
	threads, err := s.Threads(ctx)
	if err != nil {
		return mysqlconn.Describe(s.Leg, "look for a running daemon", err)
	}
	if slices.ContainsFunc(ids, func(id uint64) bool { return threads[id] }) {
		return &change.Fault{Code: "BS-STREAM-RUNNING", Class: change.ClassRuntime, Where: "stream " + c.opts.Stream,
			What: "a daemon runs the stream: it has sessions on the target",
			Next: "stop it (SIGTERM) and try again; after a SIGKILL its sessions last for 5 s more"}
	}
	return nil
}

// moved is the SQL that writes a new checkpoint over a state that makes sense.
func (c *Claim) moved(ctx context.Context, s *mysqlconn.Session, decide func(State) (Move, error)) (string, error) {
	rows, err := c.readLocked(ctx, s)
	if err != nil {
		return "", err
	}
	st, err := stateOf(rows, hashOf(rows))
	if err != nil {
		return "", err
	}
	move, err := decide(st)
	if err != nil {
		return "", err
	}
	record, err := Record{Checkpoint: &move.To}.encode()
	if err != nil {
		return "", err
	}
	epoch := st.Epoch + 1
	all := fmt.Sprintf("UPDATE `binseal`.`progress` SET owner=%s WHERE stream=%s", quote(token()), quote(c.opts.Stream))
	one := fmt.Sprintf("UPDATE `binseal`.`progress` SET epoch=%d, record=%s WHERE stream=%s AND session=%d", epoch, quote(record), quote(c.opts.Stream), epoch%2)
	return strings.Join(append([]string{all, one}, move.Held...), "; "), nil
}

// replaced is the SQL that puts new rows in the place of all that the stream has. Their epochs go on from the old
// ones, so that no mark of an older daemon could match even without its owner.
func (c *Claim) replaced(ctx context.Context, s *mysqlconn.Session, decide func(State) (Move, error)) (string, error) {
	var last uint64
	if err := s.QueryRow(ctx, "SELECT COALESCE(MAX(epoch),0) FROM `binseal`.`progress` WHERE stream=? FOR UPDATE", c.opts.Stream).Scan(&last); err != nil {
		return "", mysqlconn.Describe(s.Leg, "read the progress rows", err)
	}
	move, err := decide(State{Fresh: true})
	if err != nil {
		return "", err
	}
	record, err := Record{Checkpoint: &move.To}.encode()
	if err != nil {
		return "", err
	}
	epoch, owner := last+1, token()
	b := fmt.Sprintf("DELETE FROM `binseal`.`progress` WHERE stream=%s", quote(c.opts.Stream))
	for leader := range uint64(2) {
		of, has := uint64(0), "{}"
		if leader == epoch%2 {
			of, has = epoch, record
		}
		b += fmt.Sprintf("; INSERT INTO `binseal`.`progress` VALUES (%s,%d,%s,%d,%d,'',%s)", quote(c.opts.Stream), leader, quote(owner), of, Protocol, quote(has))
	}
	return strings.Join(append([]string{b}, move.Held...), "; "), nil
}

// Settled is the checkpoint of a state whose statement was about to run and is in doubt: behind the statement when it
// ran, before it when not. ok is false when there is none.
func (st State) Settled(ran bool) (m Move, ok bool) {
	switch {
	case st.Intent == nil:
		return Move{}, false
	case ran:
		after := st.Intent.After
		after.Source, after.ByGTID = st.Checkpoint.Source, st.Checkpoint.ByGTID
		return Move{To: after, Held: st.Intent.Held}, true
	default:
		return Move{To: st.Checkpoint}, true
	}
}

// token is a new owner's name.
func token() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // Never fails: crypto/rand.
	return hex.EncodeToString(b)
}

// read reads the rows of the stream; locking is "" or "FOR UPDATE".
func (c *Claim) read(ctx context.Context, s *mysqlconn.Session, locking string) ([]row, error) {
	rs, err := s.QueryContext(ctx, "SELECT session, owner, epoch, protocol, config_hash, record FROM `binseal`.`progress` WHERE stream=? ORDER BY session "+locking, c.opts.Stream)
	if err != nil {
		return nil, mysqlconn.Describe(s.Leg, "read the progress rows", err)
	}
	defer func() { _ = rs.Close() }()
	var rows []row
	for rs.Next() {
		var r row
		var record []byte
		if err := rs.Scan(&r.session, &r.owner, &r.epoch, &r.protocol, &r.hash, &record); err != nil {
			return nil, mysqlconn.Describe(s.Leg, "read the progress rows", err)
		}
		if err := json.Unmarshal(record, &r.record); err != nil {
			return nil, inconsistent(fmt.Sprintf("the record of session %d cannot be read", r.session))
		}
		rows = append(rows, r)
	}
	if err := rs.Err(); err != nil {
		return nil, mysqlconn.Describe(s.Leg, "read the progress rows", err)
	}
	return rows, nil
}
