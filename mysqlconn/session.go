package mysqlconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/tlsconf"
)

// SessionOptions says what a session is for.
type SessionOptions struct {
	// Init are SET statements, run in one round trip once the session is open.
	Init []string
	// Metadata prepares a session that reads definitions and status: what SHOW CREATE prints does not depend on the
	// server's sql_mode, and table statistics are not served from a cache. Its statements run before Init.
	Metadata bool
	// ReadTimeout bounds each wait for the server's next packet, that is also the run time of a statement; the
	// session is lost when it passes. 0 means no bound: for sessions that run DDL or wait for locks.
	ReadTimeout time.Duration
}

// metadataInit is run on Metadata sessions.
var metadataInit = []string{
	"SET NAMES utf8mb4",
	// The versioned comment is within a statement: on its own it would be an empty one before 8.0, which is an error.
	"SET SESSION time_zone='+00:00', SESSION sql_mode='', SESSION sql_quote_show_create=1 /*!80000 , SESSION information_schema_stats_expiry=0 */",
}

// Session is one connection to a server, over TLS, verified. Statements go through it one after the other; it is
// not for concurrent use, except that a cancelled context ends a statement from outside. Rows must be closed before
// the next statement. Close releases it.
//
// A session is never repaired: after an error for which Retryable or Ambiguous holds, or when the context of a
// statement was cancelled while it ran, the connection is closed and every further call fails. Nothing is sent twice.
// Errors of its methods are safe to print (see Describe).
type Session struct {
	Leg              string // "source" or "target"
	ConnID           uint64 // CONNECTION_ID(), what KILL takes.
	MaxAllowedPacket int    // @@max_allowed_packet in bytes; the text given to Exec may be 2 bytes shorter, no longer.
	Version          string // @@version
	MariaDB          bool   // The server is of MariaDB.
	ServerUUID       string // @@server_uuid; on MariaDB, which has none, what IdentityQuery gives.
	Cipher           string // Ssl_cipher as the server reports it; never empty.
	LocalInfile      bool   // @@local_infile: the server takes Load.
	LowerCaseNames   int    // @@lower_case_table_names

	db    *sql.DB
	conn  *sql.Conn
	log   *driverLog
	leave func() // Takes it off the endpoint's Connections.
}

// Open makes one session. Errors are *change.Fault naming leg, address and next step (BS-CONNECT, BS-TLS-REFUSED,
// BS-TLS-ABSENT, BS-TLS-CONFIG, BS-AUTH-REFUSED, BS-SECRET, BS-PRIVILEGE), an *Error of an Init statement, or the
// error of a cancelled ctx.
func (e *Endpoint) Open(ctx context.Context, o SessionOptions) (*Session, error) {
	dialCtx, cancel := context.WithTimeout(ctx, e.dialTimeout())
	defer cancel()
	s, err := e.open(dialCtx, o)
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if n, _ := Number(err); dialCtx.Err() != nil && change.FaultOf(err) == nil && n == 0 {
		err = errDialTimeout // The driver gives the context's error, which says nothing about the leg.
	}
	if ex := *explain(err); ex.kind == kindLost || ex.kind == kindUnsent {
		ex.kind = kindConnect // Nothing was under way yet that could be ambiguous.
		err = &ex
	}
	return nil, e.describe("connect", err)
}

func (e *Endpoint) open(ctx context.Context, o SessionOptions) (s *Session, err error) {
	err = e.login(ctx, func(password Secret, conf *tls.Config, seen *tlsconf.Evidence) error {
		s, err = e.connect(ctx, o, password, conf, seen)
		return err
	})
	return s, err
}

func (e *Endpoint) connect(ctx context.Context, o SessionOptions, password Secret, conf *tls.Config, seen *tlsconf.Evidence) (*Session, error) {
	log := &driverLog{}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd = e.User, string(password)
	cfg.Net, cfg.Addr, cfg.DialFunc = "tcp", e.Addr, e.dial
	cfg.TLS, cfg.AllowFallbackToPlaintext = conf, false
	cfg.AllowNativePasswords, cfg.AllowOldPasswords = true, false
	cfg.AllowCleartextPasswords = cfg.TLS != nil // IAM tokens. Only inside TLS, which the guard enforces.
	cfg.MultiStatements, cfg.ClientFoundRows, cfg.InterpolateParams = true, true, true
	cfg.MaxAllowedPacket = 1 << 30 // The protocol's bound. Callers keep to Session.MaxAllowedPacket: asking for it here would be a round trip more.
	cfg.CheckConnLiveness = false
	cfg.ReadTimeout = o.ReadTimeout
	cfg.Logger = log // The driver's own prints to stderr.
	cfg.ConnectionAttributes = "program_name:" + e.program()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(&onceConnector{Connector: connector, log: log})
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	s := &Session{Leg: e.Leg, db: db, conn: conn, log: log, leave: func() {}}
	if err := s.prepare(ctx, e, o, seen); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// prepare asserts TLS, learns the server's identity and runs the Init statements, in two round trips: a run opens a dozen
// sessions, and the target may be far.
func (s *Session) prepare(ctx context.Context, e *Endpoint, o SessionOptions, seen *tlsconf.Evidence) error {
	if err := s.greet(ctx, e, seen); err != nil {
		return err
	}
	init := o.Init
	if o.Metadata {
		init = append(append([]string{}, metadataInit...), o.Init...)
	}
	rows, err := s.QueryContext(ctx, strings.Join(append([]string{IdentityQuery(s.MariaDB)}, init...), "; "))
	if err != nil {
		return err
	}
	if !rows.Next() {
		err = rows.Err()
	} else {
		err = rows.Scan(&s.ServerUUID)
	}
	if err != nil {
		_ = rows.Close()
		return s.explain(err)
	}
	if err := rows.Close(); err != nil { // The answers to the rest.
		return Describe("", "session settings", s.explain(err))
	}
	return nil
}

// greet asks what the server sees of this connection, and who it is.
func (s *Session) greet(ctx context.Context, e *Endpoint, seen *tlsconf.Evidence) error {
	rows, err := s.QueryContext(ctx, "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_cipher', 'Ssl_version');"+
		" SELECT CONNECTION_ID(), @@max_allowed_packet, @@version, @@version_comment, @@local_infile, @@lower_case_table_names")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	status := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return s.explain(err)
		}
		status[strings.ToLower(name)] = value
	}
	var comment string
	if !rows.NextResultSet() || !rows.Next() {
		return s.explain(cmp.Or(rows.Err(), sql.ErrNoRows))
	}
	if err := rows.Scan(&s.ConnID, &s.MaxAllowedPacket, &s.Version, &comment, &s.LocalInfile, &s.LowerCaseNames); err != nil {
		return s.explain(err)
	}
	s.Cipher, s.MariaDB = status["ssl_cipher"], strings.Contains(s.Version+comment, "MariaDB")
	leave, err := e.opened("sql", *seen, s.ConnID, status["ssl_version"], s.Cipher)
	if err == nil {
		s.leave = leave
	}
	return err
}

// IdentityQuery asks a server for what it is told from others by: its server_uuid. MariaDB has none. There it is
// "mariadb-" with @@server_uid, a hash of the machine's hardware address and the server's port (sql/mysqld.cc,
// calculate_server_uid), before 10.6 and where it is empty a hash of host name and port. It stays over restarts and
// differs between two servers of one machine, and it changes when the server moves to another machine or port.
func IdentityQuery(mariaDB bool) string {
	if mariaDB {
		return "SELECT CONCAT('mariadb-', IFNULL(MAX(NULLIF(VARIABLE_VALUE, '')), SHA1(CONCAT(@@GLOBAL.hostname, ':', @@GLOBAL.port)))) " +
			"FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'SERVER_UID'"
	}
	return "SELECT @@GLOBAL.server_uuid"
}

// Exec sends text as one COM_QUERY, one round trip for any number of statements separated by semicolons, and gives
// the count of each: matched rows (CLIENT_FOUND_ROWS), 0 for statements that count none. At the first statement that
// fails the server skips the rest; the counts of those before it are lost. There is no retry.
//
// When ctx is cancelled Exec returns at once, the connection is closed, and what the server did is unknown
// (Ambiguous); the server itself notices the close only when the statement ends.
func (s *Session) Exec(ctx context.Context, text string) ([]int64, error) {
	if s.MaxAllowedPacket > 0 && len(text)+2 > s.MaxAllowedPacket { // Sent, it would cost the connection.
		return nil, s.explain(mysql.ErrPktTooLarge)
	}
	var counts []int64
	err := s.conn.Raw(func(dc any) error {
		result, err := dc.(driver.ExecerContext).ExecContext(ctx, text, nil)
		if err != nil {
			return err
		}
		counts = result.(mysql.Result).AllRowsAffected()
		return nil
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return counts, nil
}

// loads numbers the files of Load: the driver finds them by name, in one list for the process.
var loads atomic.Uint64

// Load runs LOAD DATA LOCAL INFILE with a file of lines, whose name is chosen here; into is what stands behind the name. It
// gives the rows that were loaded, and the warnings: the statement is lenient, and what it changed or left out is a warning
// only. The file is read while the server reads; an error of lines is returned as it is, and the session is closed. Otherwise as Exec.
//
// The server asks for the file by its name, and the driver gives it no other (MySQL manual, "Security Considerations for LOAD
// DATA LOCAL"): no file of this machine is on its list.
func (s *Session) Load(ctx context.Context, into string, lines io.Reader) (loaded, warnings int64, err error) {
	name := "binseal-" + strconv.FormatUint(loads.Add(1), 10)
	file := &fileOfLines{Reader: lines}
	mysql.RegisterReaderHandler(name, func() io.Reader { return file })
	defer mysql.DeregisterReaderHandler(name)
	rows, err := s.conn.QueryContext(ctx, "LOAD DATA LOCAL INFILE 'Reader::"+name+"' "+into+"; SELECT ROW_COUNT(), @@warning_count")
	switch {
	case file.err != nil: // The server has taken the part for the whole, and its answer to the rest is not read.
		if err == nil {
			_ = rows.Close()
		}
		_ = s.Close()
		return 0, 0, file.err
	case err != nil:
		return 0, 0, s.explain(err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return 0, 0, s.explain(cmp.Or(rows.Err(), sql.ErrNoRows))
	}
	if err := rows.Scan(&loaded, &warnings); err != nil {
		return 0, 0, s.explain(err)
	}
	return loaded, warnings, nil
}

// fileOfLines keeps the error of its reader.
type fileOfLines struct {
	io.Reader
	err error
}

// Read reads, and keeps what goes wrong.
func (f *fileOfLines) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// QueryContext runs one query. Arguments are written into the text by the driver, in the same round trip. The
// errors of rows.Scan and rows.Err are the driver's own and may carry values: pass them through Describe.
func (s *Session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	return rows, nil
}

// QueryRow runs a query of which only the first row counts; errors come from Scan.
func (s *Session) QueryRow(ctx context.Context, query string, args ...any) Row {
	return Row{row: s.conn.QueryRowContext(ctx, query, args...), session: s}
}

// Row is the result of QueryRow.
type Row struct {
	row     *sql.Row
	session *Session
}

// Scan copies the row's columns. Without a row the error is sql.ErrNoRows; any other is safe to print.
func (r Row) Scan(dest ...any) error {
	if err := r.row.Scan(dest...); err != nil {
		return r.session.explain(err)
	}
	return nil
}

// Kill ends another session by its connection id, within the same user's rights. A thread that is gone already
// (1094) is no error. The server answers before the thread has ended: its locks may be held a little longer.
func (s *Session) Kill(ctx context.Context, id uint64) error {
	_, err := s.Exec(ctx, "KILL "+strconv.FormatUint(id, 10))
	if n, _ := Number(err); n == unknownThread {
		return nil
	}
	return err
}

// Threads lists the connection ids that the server has and that the account may see: its own, without any privilege.
// It does not ask information_schema.PROCESSLIST, which fails with 3854 while any session runs a statement whose
// literals are not text: it converts the statements of all of them.
func (s *Session) Threads(ctx context.Context) (map[uint64]bool, error) {
	rows, err := s.QueryContext(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, s.explain(err)
	}
	var id uint64
	row := make([]any, len(columns))
	for i := range row {
		row[i] = new(sql.RawBytes)
	}
	row[0] = &id
	threads := map[uint64]bool{}
	for rows.Next() {
		if err := rows.Scan(row...); err != nil {
			return nil, s.explain(err)
		}
		threads[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain(err)
	}
	return threads, nil
}

// Close ends the session; what it had not committed is rolled back by the server. It waits for a statement that
// still runs: cancel that one's context first. Calling it again does nothing.
func (s *Session) Close() error {
	s.leave()
	_ = s.conn.Close()
	if err := s.db.Close(); err != nil {
		return Describe(s.Leg, "close", err)
	}
	return nil
}

// explain makes an error of this session safe, with what the driver said only to its log.
func (s *Session) explain(err error) error {
	e := *explain(s.log.attach(err))
	if e.Leg == "" {
		e.Leg = s.Leg
	}
	return &e
}

// onceConnector dials once. database/sql opens a new connection when it thinks that the old one is bad; a session
// that silently became another one would have lost its settings, its locks and its transaction.
type onceConnector struct {
	driver.Connector
	log    *driverLog
	mu     sync.Mutex // Guards dialed.
	dialed bool
}

// Connect dials the first time and fails ever after.
func (c *onceConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	again := c.dialed
	c.dialed = true
	c.mu.Unlock()
	if again {
		return nil, errSecondDial
	}
	conn, err := c.Connector.Connect(ctx)
	if errors.Is(err, driver.ErrBadConn) {
		err = mysql.ErrInvalidConn // database/sql takes ErrBadConn as an invitation to try again.
	}
	if err != nil {
		return nil, c.log.attach(err)
	}
	return conn, nil
}

// driverLog takes the place of the driver's logger. The driver returns ErrInvalidConn for every broken connection
// and tells the reason, such as the TLS alert that refused our certificate, only to its log.
type driverLog struct {
	mu   sync.Mutex // Guards last.
	last error
}

// Print keeps the last error that the driver logs and prints nothing.
func (l *driverLog) Print(v ...any) {
	for _, x := range v {
		if err, ok := x.(error); ok {
			l.mu.Lock()
			l.last = err
			l.mu.Unlock()
		}
	}
}

// attach joins the logged reason to an error that has none of its own.
func (l *driverLog) attach(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || (err != mysql.ErrInvalidConn && err != driver.ErrBadConn) || err == l.last {
		return err
	}
	return fmt.Errorf("%w: %w", err, l.last)
}
