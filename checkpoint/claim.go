package checkpoint

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/mysqlconn"
)

// The control tables. All InnoDB: progress and data must roll back together.
var ddl = []string{
	"CREATE DATABASE IF NOT EXISTS `binseal`",
	"CREATE TABLE IF NOT EXISTS `binseal`.`progress` (" +
		"stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, session SMALLINT UNSIGNED NOT NULL, " +
		"owner CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, epoch BIGINT UNSIGNED NOT NULL, " +
		"protocol SMALLINT UNSIGNED NOT NULL, config_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, " +
		"record MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (stream, session)) ENGINE=InnoDB",
	"CREATE TABLE IF NOT EXISTS `binseal`.`session` (" +
		"stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, server_uuid CHAR(36) CHARACTER SET ascii NOT NULL, " +
		"booted_at BIGINT NOT NULL, conn_id BIGINT UNSIGNED NOT NULL, owner CHAR(32) CHARACTER SET ascii NOT NULL, " +
		"PRIMARY KEY (stream, server_uuid, booted_at, conn_id)) ENGINE=InnoDB",
	heldTable,
}

// How long a claim may take altogether, and how long one attempt waits for the row locks of an old owner before it
// looks again which of its sessions to KILL.
const (
	claimLimit   = 30 * time.Second
	claimAttempt = 1 // Seconds, innodb_lock_wait_timeout.
	lockSeconds  = 5 // Of GET_LOCK before a DDL: our own session for the DDL before may still be closing.
	pollEvery    = 20 * time.Millisecond
)

// Options of a claim.
type Options struct {
	Stream   string
	Sessions int    // Number of followers; the table gets Sessions+2 rows, 0 and 1 for the leaders.
	Hash     string // Of what a half-done epoch depends on: filters, routes, DDL rules.
	Logger   *slog.Logger
}

// Owners are the tokens under which this process has tried to claim the stream. A claim of a process that has
// held the stream before succeeds only if nobody else has claimed it since: a daemon that lost its place stops, it
// does not fight. Not safe for concurrent use.
type Owners struct {
	tokens   []string // Those whose COMMIT was sent; its reply may have been lost.
	replaced string   // The owner in the rows when the last of them was sent; it stays when that COMMIT failed.
}

// lostTo reports whether owner, as found in the rows, is a daemon that has claimed the stream after this process.
func (o *Owners) lostTo(owner string) bool {
	return len(o.tokens) > 0 && owner != o.replaced && !slices.Contains(o.tokens, owner)
}

// sent notes that a claim under token is about to be committed in place of owner.
func (o *Owners) sent(token, owner string) { o.tokens, o.replaced = append(o.tokens, token), owner }

// Claim is the ownership of a stream during one run. It is used by one goroutine at a time.
type Claim struct {
	Owner  string // Random, 32 hex digits; new for each run, also for a restart within one process.
	opts   Options
	epochs map[int]uint64 // Last committed epoch per session, as this run knows it.
	server server
}

// server identifies one life of a target server: connection ids start again after a restart.
type server struct {
	uuid     string
	bootedAt int64 // Unix seconds.
}

// Take claims the stream over s: it ends what an old owner has in flight, rewrites the owner in all rows and reads
// the state back. Errors: *change.Fault BS-FENCED when another daemon has taken the stream from this process,
// BS-CONFIG-CHANGED, BS-TARGET-LOST-COMMITS, BS-PROGRESS-CORRUPT; anything else may be tried again.
func Take(ctx context.Context, s *mysqlconn.Session, o Options, owners *Owners) (*Claim, State, error) {
	if err := ensureTables(ctx, s); err != nil {
		return nil, State{}, err
	}
	srv, err := identify(ctx, s)
	if err != nil {
		return nil, State{}, err
	}
	c := &Claim{Owner: token(), opts: o, epochs: map[int]uint64{}, server: srv}
	deadline := time.Now().Add(claimLimit)
	for {
		if err := c.look(ctx, s, owners); err != nil {
			return nil, State{}, err
		}
		if err := c.endOldSessions(ctx, s); err != nil {
			return nil, State{}, err
		}
		st, err := c.rewrite(ctx, s, owners)
		if err == nil {
			return c, st, c.endOldStatement(ctx, s)
		}
		if !mysqlconn.LockConflict(err) || time.Now().After(deadline) {
			return nil, State{}, fmt.Errorf("claim stream %s: %w", o.Stream, err)
		}
		o.Logger.Info("waiting for the locks of an old owner", "stream", o.Stream)
	}
}

// ensureTables makes the control tables, and nothing on a server that cannot be a target.
func ensureTables(ctx context.Context, s *mysqlconn.Session) error {
	if s.MariaDB {
		return &change.Fault{Code: "BS-TARGET-UNSUPPORTED", Class: change.ClassEnvironment,
			What: "the target is MariaDB " + s.Version + ", whose SQL is not written by this release", Next: "use a MySQL server, 8.0 or later, as the target"}
	}
	var n int
	const q = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='binseal' AND TABLE_NAME IN ('progress','session','held')"
	if err := s.QueryRow(ctx, q).Scan(&n); err != nil {
		return mysqlconn.Describe(s.Leg, "look for the control tables", err)
	}
	if n == len(ddl)-1 { // The first makes the schema.
		return nil
	}
	_, err := s.Exec(ctx, strings.Join(ddl, "; "))
	return mysqlconn.Describe(s.Leg, "create the control tables", err)
}

func identify(ctx context.Context, s *mysqlconn.Session) (server, error) {
	var srv server
	var name string
	var now, uptime int64
	if err := s.QueryRow(ctx, "SELECT @@server_uuid, UNIX_TIMESTAMP()").Scan(&srv.uuid, &now); err != nil {
		return srv, mysqlconn.Describe(s.Leg, "ask the server's identity", err)
	}
	if err := s.QueryRow(ctx, "SHOW GLOBAL STATUS LIKE 'Uptime'").Scan(&name, &uptime); err != nil {
		return srv, mysqlconn.Describe(s.Leg, "ask the server's uptime", err)
	}
	srv.bootedAt = now - uptime
	return srv, nil
}

// look stops a daemon that has lost its place before it ends sessions of the one that has taken it. It takes no lock,
// since an old owner may hold them; what counts is that rewrite looks again under one.
func (c *Claim) look(ctx context.Context, s *mysqlconn.Session, owners *Owners) error {
	var owner string
	err := s.QueryRow(ctx, "SELECT owner FROM `binseal`.`progress` WHERE stream=? ORDER BY session LIMIT 1", c.opts.Stream).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return mysqlconn.Describe(s.Leg, "look at the claim", err)
	case owners.lostTo(owner):
		return fencedOff(c.opts.Stream)
	}
	return nil
}

// registered are the connection ids of the stream's sessions, other than ours, on this life of this server.
func (c *Claim) registered(ctx context.Context, s *mysqlconn.Session) ([]uint64, error) {
	rows, err := s.QueryContext(ctx, "SELECT conn_id FROM `binseal`.`session` WHERE stream=? AND server_uuid=? AND booted_at BETWEEN ? AND ? AND conn_id<>? AND owner<>?",
		c.opts.Stream, c.server.uuid, c.server.bootedAt-2, c.server.bootedAt+2, s.ConnID, c.Owner)
	if err != nil {
		return nil, mysqlconn.Describe(s.Leg, "read the registered sessions", err)
	}
	var ids []uint64
	for rows.Next() {
		var id uint64
		if err := rows.Scan(&id); err != nil {
			_ = rows.Close()
			return nil, mysqlconn.Describe(s.Leg, "read the registered sessions", err)
		}
		ids = append(ids, id)
	}
	return ids, mysqlconn.Describe(s.Leg, "read the registered sessions", errors.Join(rows.Err(), rows.Close()))
}

// endOldSessions KILLs every registered session of the stream. A half-open connection holds its locks until
// wait_timeout, and a DDL outlives its client.
func (c *Claim) endOldSessions(ctx context.Context, s *mysqlconn.Session) error {
	ids, err := c.registered(ctx, s)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.Kill(ctx, id); err != nil {
			return mysqlconn.Describe(s.Leg, "end an old session", err)
		}
	}
	return c.awaitEnd(ctx, s, ids)
}

// awaitEnd waits until none of the ids is a thread of the server any more, for at most claimLimit: a killed DDL may
// take a while to roll back, and until then the fingerprint of its table means nothing.
func (c *Claim) awaitEnd(ctx context.Context, s *mysqlconn.Session, ids []uint64) error {
	if len(ids) == 0 {
		return nil
	}
	deadline := time.Now().Add(claimLimit)
	for {
		threads, err := s.Threads(ctx)
		if err != nil {
			return mysqlconn.Describe(s.Leg, "wait for old sessions to end", err)
		}
		ids = slices.DeleteFunc(ids, func(id uint64) bool { return !threads[id] })
		if len(ids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("claim stream %s: %d sessions of the old owner still run after %s", c.opts.Stream, len(ids), claimLimit)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// rewrite puts the new owner into all rows of the stream in one transaction and reads them. Its locking read
// waits for whatever an old owner has in flight, so that afterwards no transaction of an older owner can commit:
// either it ended before, and we see its outcome, or its mark comes later and matches no row (invariant 4).
func (c *Claim) rewrite(ctx context.Context, s *mysqlconn.Session, owners *Owners) (st State, err error) {
	defer func() {
		if err != nil {
			_, _ = s.Exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if _, err := s.Exec(ctx, fmt.Sprintf("SET innodb_lock_wait_timeout=%d; START TRANSACTION", claimAttempt)); err != nil {
		return st, mysqlconn.Describe(s.Leg, "begin the claim", err)
	}
	rows, err := c.readLocked(ctx, s)
	if err != nil {
		return st, err
	}
	owner := ""
	if len(rows) > 0 {
		if owner = rows[0].owner; owners.lostTo(owner) {
			return st, fencedOff(c.opts.Stream)
		}
	}
	if st, err = stateOf(rows, c.opts.Hash); err != nil {
		return st, err
	}
	if _, err := s.Exec(ctx, c.ownSQL(rows)); err != nil {
		return st, mysqlconn.Describe(s.Leg, "claim", err)
	}
	crashpoint.Reach(crashpoint.ClaimSent)
	owners.sent(c.Owner, owner)
	if _, err := s.Exec(ctx, "COMMIT"); err != nil {
		return st, mysqlconn.Describe(s.Leg, "commit the claim", err)
	}
	crashpoint.Reach(crashpoint.Claimed)
	for _, r := range rows {
		c.epochs[r.session] = r.epoch
	}
	return st, nil
}

func (c *Claim) readLocked(ctx context.Context, s *mysqlconn.Session) ([]row, error) {
	return c.read(ctx, s, "FOR UPDATE")
}

// ownSQL writes the owner, version and hash into the rows that exist and adds those that do not. It also forgets the
// registrations of earlier owners: their sessions are gone, or will meet the fence. That is part of the claim's
// transaction: done behind it, it could forget those of an owner that has claimed in between.
func (c *Claim) ownSQL(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "UPDATE `binseal`.`progress` SET owner=%s, protocol=%d, config_hash=%s WHERE stream=%s",
		quote(c.Owner), Protocol, quote(c.opts.Hash), quote(c.opts.Stream))
	fmt.Fprintf(&b, "; DELETE FROM `binseal`.`session` WHERE stream=%s AND owner<>%s", quote(c.opts.Stream), quote(c.Owner))
	for session := range c.opts.Sessions + 2 {
		if slices.ContainsFunc(rows, func(r row) bool { return r.session == session }) {
			continue
		}
		fmt.Fprintf(&b, "; INSERT INTO `binseal`.`progress` VALUES (%s,%d,%s,0,%d,%s,'{}')",
			quote(c.opts.Stream), session, quote(c.Owner), Protocol, quote(c.opts.Hash))
	}
	return b.String()
}

// Register records a session in a commit of its own, so that a later owner can KILL it.
func (c *Claim) Register(ctx context.Context, s *mysqlconn.Session) error {
	_, err := s.Exec(ctx, fmt.Sprintf("INSERT INTO `binseal`.`session` VALUES (%s,%s,%d,%d,%s) ON DUPLICATE KEY UPDATE owner=VALUES(owner)",
		quote(c.opts.Stream), quote(c.server.uuid), c.server.bootedAt, s.ConnID, quote(c.Owner)))
	return mysqlconn.Describe(s.Leg, "register a session", err)
}

// GuardStatement makes s the session that may run a DDL under this claim, until it is closed: s takes a user-level
// lock, which no implicit commit releases, and then looks whether the stream is still ours. A later owner rewrites the
// rows first and then takes the same lock, ending whoever holds it, so that a DDL either runs before that claim has
// the state settled, or not at all. Without it a daemon that was stopped between intent and statement would run the
// statement after another daemon has taken over and run it too.
func (c *Claim) GuardStatement(ctx context.Context, s *mysqlconn.Session) error {
	var got sql.NullInt64
	if err := s.QueryRow(ctx, "SELECT GET_LOCK(?, ?)", c.statementLock(), lockSeconds).Scan(&got); err != nil {
		return mysqlconn.Describe(s.Leg, "lock for a DDL", err)
	}
	if got.Int64 != 1 {
		return fmt.Errorf("claim stream %s: another session is about to run a DDL", c.opts.Stream)
	}
	return c.Held(ctx, s)
}

// Held looks whether the stream is still this claim's: BS-FENCED when it is another owner's. What a daemon sees behind
// a later claim, such as a table that the new owner has dropped, means nothing.
func (c *Claim) Held(ctx context.Context, s *mysqlconn.Session) error {
	var owners, ours int64
	err := s.QueryRow(ctx, "SELECT COUNT(*), COALESCE(SUM(owner=?),0) FROM `binseal`.`progress` WHERE stream=?", c.Owner, c.opts.Stream).Scan(&owners, &ours)
	if err != nil {
		return mysqlconn.Describe(s.Leg, "look at the claim", err)
	}
	if fenced && (owners == 0 || owners != ours) {
		return fencedOff(c.opts.Stream)
	}
	return nil
}

// endOldStatement ends the session that holds an old owner's lock for a DDL, and waits until it is gone.
func (c *Claim) endOldStatement(ctx context.Context, s *mysqlconn.Session) error {
	for deadline := time.Now().Add(claimLimit); ; {
		var got, holder sql.NullInt64
		const q = "SELECT GET_LOCK(?, 0), IS_USED_LOCK(?); DO RELEASE_LOCK(?)" // Releasing what another holds does nothing.
		if err := s.QueryRow(ctx, q, c.statementLock(), c.statementLock(), c.statementLock()).Scan(&got, &holder); err != nil {
			return mysqlconn.Describe(s.Leg, "wait for an old DDL", err)
		}
		if got.Int64 == 1 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("claim stream %s: the old owner's DDL still runs after %s", c.opts.Stream, claimLimit)
		}
		if holder.Valid {
			if err := s.Kill(ctx, uint64(holder.Int64)); err != nil {
				return mysqlconn.Describe(s.Leg, "end an old DDL", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// statementLock is the name of the stream's user-level lock; names are server-wide and at most 64 characters.
func (c *Claim) statementLock() string {
	sum := sha256.Sum256([]byte(c.opts.Stream))
	return "binseal." + hex.EncodeToString(sum[:16])
}

// Mark is the first statement of each target transaction: fence, mark and record in one (DESIGN.md §2). It must
// match exactly one row; any other count means that the stream has a new owner: see Fenced.
func (c *Claim) Mark(session int, epoch uint64, r Record) (string, error) {
	record, err := r.encode()
	if err != nil {
		return "", err
	}
	where := fmt.Sprintf("stream=%s AND session=%d", quote(c.opts.Stream), session)
	if fenced {
		where += fmt.Sprintf(" AND owner=%s AND epoch=%d", quote(c.Owner), c.epochs[session])
	}
	return fmt.Sprintf("UPDATE /* binseal mark */ `binseal`.`progress` SET epoch=%d, record=%s WHERE %s", epoch, quote(record), where), nil
}

// Remark replaces the record within the transaction that Mark opened: an oversized transaction learns its end only
// when its last part has arrived. It must match exactly one row.
func (c *Claim) Remark(session int, epoch uint64, r Record) (string, error) {
	record, err := r.encode()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("UPDATE /* binseal mark */ `binseal`.`progress` SET record=%s WHERE stream=%s AND session=%d AND owner=%s AND epoch=%d",
		quote(record), quote(c.opts.Stream), session, quote(c.Owner), epoch), nil
}

// Committed tells the claim that session's transaction for epoch has committed.
func (c *Claim) Committed(session int, epoch uint64) { c.epochs[session] = epoch }

// Fenced turns the matched count of a Mark into an error unless it is 1.
func (c *Claim) Fenced(matched int64) error {
	if matched == 1 || !fenced {
		return nil
	}
	return fencedOff(c.opts.Stream)
}

func fencedOff(stream string) error {
	return &change.Fault{Code: "BS-FENCED", Class: change.ClassPerson,
		What: "another daemon has claimed stream " + stream + "; this one commits nothing more",
		Next: "leave the other daemon running, or stop it and start this one again"}
}

// quote writes s as an SQL string literal. Control characters cannot occur: the values are tokens, hashes, names
// that the config has checked, and JSON, which escapes them.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
