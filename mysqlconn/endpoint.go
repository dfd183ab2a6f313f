// Package mysqlconn opens sessions on the source and the target: over verified TLS only, with a credential that is
// fetched for each dial, and with the settings that the caller names. It gives the errors of both MySQL drivers one
// form that is safe to print, and answers what a caller may do after one (Retryable, Ambiguous, LockConflict).
//
// It never sends a byte outside TLS, never reconnects or repeats a statement behind its caller, and never passes on
// a server's error text. Its callers are checkpoint, replicator, applier, schema's users, stream and cmd.
package mysqlconn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/tlsconf"
)

const (
	defaultDialTimeout = 10 * time.Second // Name lookup, TCP, TLS, login and session settings together.
	defaultProgram     = "binseal"

	// An idle half-open connection is noticed after keepAliveIdle + keepAliveCount×keepAliveInterval = 25 s. On Linux
	// userTimeout holds in its place, and also while bytes are in flight.
	keepAliveIdle     = 10 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
	userTimeout       = 30 * time.Second
)

// Endpoint is how to reach one server as one user. It holds no connection and no secret; it is not changed after
// its first use, and then safe for concurrent use.
type Endpoint struct {
	Leg         string                 // "source" or "target", for errors and evidence.
	Addr        string                 // host:port
	User        string                 //
	Password    Provider               // Asked at every dial.
	TLS         *tlsconf.Client        // Required: there is no connection without it.
	OnEvidence  func(tlsconf.Evidence) // Called within each handshake, once the peer is verified; may be nil, must not block.
	Connections *Connections           // Where open connections are noted; may be nil.
	DialTimeout time.Duration          // Until the session is ready; 0 means 10 s.
	Program     string                 // program_name in the server's connection attributes; "" means "binseal".
}

// DumpSettings is what a client of the replica protocol needs for one connection. Make new ones for each: password and
// trust anchors are read anew. A client that dials with them can send nothing outside TLS (see guardedConn).
type DumpSettings struct {
	Host     string
	Port     uint16
	User     string
	Password Secret
	TLS      *tls.Config
	// Dial opens the TCP connection, with the guard on it.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Opened notes the connection, once the server has told its end: its id, Ssl_version and Ssl_cipher. A server that
	// sees no TLS is a *change.Fault BS-TLS-ABSENT (invariant 5). leave takes it off.
	Opened func(id uint64, version, cipher string) (leave func(), err error)
}

// Dump calls connect with the settings of one dump connection, and again with another password when the server has
// refused the first and the provider knows one. Errors before connect are *change.Fault.
func (e *Endpoint) Dump(ctx context.Context, connect func(DumpSettings) error) error {
	host, portText, err := net.SplitHostPort(e.Addr)
	if err != nil {
		return e.badAddr()
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return e.badAddr()
	}
	return e.login(ctx, func(password Secret, conf *tls.Config, seen *tlsconf.Evidence) error {
		return connect(DumpSettings{Host: host, Port: uint16(port), User: e.User, Password: password, TLS: conf, Dial: e.dial,
			Opened: func(id uint64, version, cipher string) (func(), error) {
				return e.opened("binlog", *seen, id, version, cipher)
			}})
	})
}

// maxLogins bounds the passwords that are tried for one connection: the current one, the current one fetched anew, the
// one before. More could lock the account.
const maxLogins = 3

// login connects with the passwords that the provider knows until the server takes one.
func (e *Endpoint) login(ctx context.Context, connect func(Secret, *tls.Config, *tlsconf.Evidence) error) error {
	var refused []Secret
	var last error
	for {
		var seen tlsconf.Evidence // Of this connection alone.
		password, conf, err := e.credentials(ctx, refused, &seen)
		switch {
		case last != nil && (err != nil || slices.Contains(refused, password)):
			return last
		case err != nil:
			return err
		}
		last = connect(password, conf, &seen)
		if n, _ := Number(last); n != accessDenied || len(refused)+1 == maxLogins {
			return last
		}
		refused = append(refused, password)
	}
}

// opened notes a connection of which both ends are known.
func (e *Endpoint) opened(use string, seen tlsconf.Evidence, id uint64, version, cipher string) (leave func(), err error) {
	if cipher == "" {
		// Invariant 5, as the other side sees it: something between us and the server ends our TLS.
		return nil, e.fault("BS-TLS-ABSENT", "the server sees a connection without TLS",
			"connect to the server itself, or make the proxy in between use TLS to the server", nil)
	}
	return e.Connections.Add(Connection{Evidence: seen, Use: use, ConnectionID: id, ServerVersion: version, ServerCipher: cipher}), nil
}

// credentials fetches what one dial needs: the password and a fresh TLS config, whose handshake fills in seen.
func (e *Endpoint) credentials(ctx context.Context, refused []Secret, seen *tlsconf.Evidence) (Secret, *tls.Config, error) {
	if e.TLS == nil {
		return "", nil, e.fault("BS-TLS-ABSENT", "no TLS settings for this leg", "configure tls.ca; binseal opens no connection without TLS", nil)
	}
	conf, err := e.TLS.For(e.Addr, func(ev tlsconf.Evidence) {
		*seen = ev
		if e.OnEvidence != nil {
			e.OnEvidence(ev)
		}
	})
	if err != nil {
		return "", nil, e.fault("BS-TLS-CONFIG", "the TLS files cannot be used", "check the files that the tls section names", err)
	}
	if e.Password == nil {
		return "", nil, e.fault("BS-SECRET", "no password source for this leg", "configure password", nil)
	}
	password, err := e.Password(ctx, refused...)
	if err != nil {
		if change.FaultOf(err) == nil && ctx.Err() == nil {
			err = e.fault("BS-SECRET", "the password cannot be fetched", "check the password section and what it refers to", err)
		}
		return "", nil, err
	}
	return password, conf, nil
}

// dial opens the TCP connection and puts the guard on it. The name is looked up each time: after a failover the
// same name has another address.
func (e *Endpoint) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: e.dialTimeout(),
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
		},
		Control: func(_, _ string, raw syscall.RawConn) error { return setUserTimeout(raw, userTimeout) },
	}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: conn}, nil
}

func (e *Endpoint) dialTimeout() time.Duration {
	if e.DialTimeout > 0 {
		return e.DialTimeout
	}
	return defaultDialTimeout
}

func (e *Endpoint) program() string {
	if e.Program != "" {
		return e.Program
	}
	return defaultProgram
}

func (e *Endpoint) badAddr() error {
	f := e.fault("BS-CONFIG", "the address is not host:port", "write addr as host:port", nil)
	f.Class = change.ClassConfig
	return f
}

// fault is an error of the environment at this endpoint.
func (e *Endpoint) fault(code, what, next string, cause error) *change.Fault {
	return &change.Fault{Code: code, Class: change.ClassEnvironment, Where: place(e.Leg, e.Addr), What: what, Next: next, Err: cause}
}

// describe is Describe with the address, for errors on the way to a session.
func (e *Endpoint) describe(op string, err error) error { return describe(e.Leg, e.Addr, op, err) }

// errSecondDial ends any try of database/sql to open another connection in place of a lost one.
var errSecondDial = errors.New("the session's connection is lost")
