// Package evidence makes the report that an auditor files: what was seen of the encryption of both legs and of the
// target's disks, who was asked, when, and what was not proven. It opens a connection of its own to each server, as the
// daemon would; it changes nothing. cmd calls it.
//
// Invariant 9: the report holds names, states and hashes of public values; no secret, no row.
package evidence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/tlsconf"
)

// Form is the version of the report's form.
const Form = 1

// Report is what was seen. Its JSON form describes itself: a reader needs nothing else.
type Report struct {
	Report     string    `json:"report"` // "binseal evidence".
	Form       int       `json:"form"`
	At         time.Time `json:"at"` // UTC, of this machine.
	Version    string    `json:"binseal_version"`
	Host       string    `json:"made_on"` // This machine's name.
	Stream     string    `json:"stream"`
	ConfigHash string    `json:"config_hash"` // SHA-256 of filters, routes and rules; the checkpoint has the same.

	Legs   []Leg         `json:"legs"`
	AtRest change.AtRest `json:"target_at_rest"`
	// ParameterGroup is require_secure_transport in the target's parameter group of RDS, which a restart brings; empty where
	// there is none or AWS was not asked.
	ParameterGroup string    `json:"target_parameter_group_require_secure_transport,omitempty"`
	Position       *Position `json:"position"` // Null when the stream has never run, or could not be asked.
	Daemon         Daemon    `json:"daemon"`

	Proven    []string `json:"proven"`
	NotProven []string `json:"not_proven"`
}

// Leg is one connection, as both its ends see it.
type Leg struct {
	Leg     string            `json:"leg"`
	Addr    string            `json:"addr"`
	User    string            `json:"user"`
	Problem string            `json:"problem,omitempty"` // Why there was no connection.
	Socket  *tlsconf.Evidence `json:"seen_by_binseal"`   // From our end's handshake; null without one.
	Server  *ServerView       `json:"seen_by_server"`    // As the server reports its end.
}

// ServerView is what the server says of the connection and of itself.
type ServerView struct {
	UUID         string `json:"server_uuid"`
	Version      string `json:"version"`
	Account      string `json:"account"` // 'user'@'host', the one of whose accounts the login was taken for.
	ConnectionID uint64 `json:"connection_id"`
	SSLVersion   string `json:"ssl_version"`
	SSLCipher    string `json:"ssl_cipher"`
	// RequiresTLS is require_secure_transport, by which the server refuses anybody without TLS; "" where it has no such
	// setting.
	RequiresTLS string `json:"require_secure_transport"`
	// AccountRequires is the account's own REQUIRE: ANY (SSL), X509, SPECIFIED, NONE; "" where it cannot be seen.
	AccountRequires string `json:"account_requires"`
}

// Position is the stream's checkpoint.
type Position struct {
	ServerUUID string    `json:"source_server_uuid"`
	GTIDs      string    `json:"gtids,omitempty"`
	Place      string    `json:"place"`
	CommitTime time.Time `json:"source_commit_time"`
}

// Daemon is what the running daemon says of its own connections.
type Daemon struct {
	Asked       string                 `json:"asked"`             // Its listener.
	Problem     string                 `json:"problem,omitempty"` // Why there is no answer.
	State       string                 `json:"state,omitempty"`
	Connections []mysqlconn.Connection `json:"connections,omitempty"`
}

// Options say what to look at.
type Options struct {
	Version, Host, Stream, ConfigHash string
	Source, Target                    *mysqlconn.Endpoint
	AtRest                            func(context.Context) change.AtRest
	ParameterGroup                    func(context.Context) (string, error) // Nil where AWS does not know the target.
	Position                          func(context.Context) (*Position, error)
	Daemon                            func(context.Context) Daemon
}

// legLimit bounds the look at one server.
const legLimit = 30 * time.Second

// Make looks and writes down. It gives no error: what could not be looked at is in the report as not proven.
func Make(ctx context.Context, o Options) Report {
	r := Report{Report: "binseal evidence", Form: Form, At: time.Now().UTC(), Version: o.Version, Host: o.Host, Stream: o.Stream, ConfigHash: o.ConfigHash, Proven: []string{}, NotProven: []string{}}
	for _, e := range []*mysqlconn.Endpoint{o.Source, o.Target} {
		leg := look(ctx, e)
		r.Legs = append(r.Legs, leg)
		r.judge(leg)
	}
	r.AtRest = o.AtRest(ctx)
	r.judgeAtRest()
	if o.ParameterGroup != nil {
		r.judgeParameters(o.ParameterGroup(ctx))
	}
	position, err := o.Position(ctx)
	if r.Position = position; err != nil {
		r.not("where the stream stands: %s", err)
	}
	r.Daemon = o.Daemon(ctx)
	if r.Daemon.Problem == "" && len(r.Daemon.Connections) == 0 {
		r.Daemon.Problem = "it has no connection now"
	}
	if r.Daemon.Problem != "" {
		r.not("that the daemon's own connections are encrypted: it could not be asked (%s); those above are of this report", r.Daemon.Problem)
	}
	r.not("how the initial load came to the target, and how copies, backups, dumps and logs outside of both servers are kept")
	return r
}

// Complete reports whether both legs and the disks are proven.
func (r Report) Complete() bool {
	for _, l := range r.Legs {
		if !l.bothEnds() {
			return false
		}
	}
	return r.AtRest.Result == change.AtRestVerified
}

func (r *Report) proven(format string, a ...any) {
	r.Proven = append(r.Proven, fmt.Sprintf(format, a...))
}
func (r *Report) not(format string, a ...any) {
	r.NotProven = append(r.NotProven, fmt.Sprintf(format, a...))
}

// bothEnds reports that both ends tell of one connection.
func (l Leg) bothEnds() bool {
	return l.Socket != nil && l.Server != nil && l.Socket.SameAs(l.Server.SSLVersion, l.Server.SSLCipher)
}

// look opens one connection and asks both ends for it.
func look(ctx context.Context, endpoint *mysqlconn.Endpoint) Leg {
	ctx, cancel := context.WithTimeout(ctx, legLimit)
	defer cancel()
	leg := Leg{Leg: endpoint.Leg, Addr: endpoint.Addr, User: endpoint.User}
	e := *endpoint
	e.Program = "binseal evidence"
	e.OnEvidence = func(seen tlsconf.Evidence) { leg.Socket = &seen }
	s, err := e.Open(ctx, mysqlconn.SessionOptions{})
	if err != nil {
		leg.Problem = mysqlconn.Describe(e.Leg, "connect", err).Error()
		return leg
	}
	defer func() { _ = s.Close() }()
	view := ServerView{UUID: s.ServerUUID, Version: s.Version, ConnectionID: s.ConnID}
	for name, to := range map[string]*string{"SESSION STATUS LIKE 'Ssl_version'": &view.SSLVersion, "SESSION STATUS LIKE 'Ssl_cipher'": &view.SSLCipher,
		"GLOBAL VARIABLES LIKE 'require_secure_transport'": &view.RequiresTLS} {
		var variable string
		if err := s.QueryRow(ctx, "SHOW "+name).Scan(&variable, to); err != nil && !errors.Is(err, sql.ErrNoRows) {
			leg.Problem = mysqlconn.Describe(e.Leg, "ask for its end of the connection", err).Error()
			return leg
		}
	}
	if err := s.QueryRow(ctx, "SELECT CURRENT_USER()").Scan(&view.Account); err != nil {
		leg.Problem = mysqlconn.Describe(e.Leg, "ask for the account", err).Error()
		return leg
	}
	var create string
	if err := s.QueryRow(ctx, "SHOW CREATE USER CURRENT_USER()").Scan(&create); err == nil { // Not before 5.7.
		view.AccountRequires = requireOf(create)
	}
	leg.Server = &view
	return leg
}

// judge says what a leg proves.
func (r *Report) judge(l Leg) {
	if l.Socket == nil || l.Server == nil {
		r.not("that the %s's leg is encrypted: %s", l.Leg, l.Problem)
		return
	}
	s := l.Socket
	how := map[tlsconf.Mode]string{tlsconf.VerifyIdentity: "its chain up to the configured CA, its dates and its name", tlsconf.VerifyCA: "its chain up to the configured CA and its dates, not its name",
		tlsconf.Pin: "its public key, which is pinned"}[s.Verified]
	r.proven("%s: %s with %s %s to %s; binseal has verified the server's certificate %s by %s, and refuses every other connection", l.Leg, s.Version, s.Cipher, group(s), l.Addr, short(s.Fingerprint), how)
	if l.bothEnds() {
		r.proven("%s: server %s reports its end (connection %d) as %s with %s, as binseal sees its own", l.Leg, l.Server.UUID, l.Server.ConnectionID, l.Server.SSLVersion, l.Server.SSLCipher)
	} else {
		r.not("that the %s's leg is one connection: the server reports %s with %s; something in between ends TLS", l.Leg, orUnknown(l.Server.SSLVersion), orUnknown(l.Server.SSLCipher))
	}
	if s.Weak {
		r.not("that the %s's leg withstands who records it: %s (tls.legacy)", l.Leg, s.WeakReason)
	}
	if !s.PostQuantum {
		r.not("that the %s's leg withstands who records it today and has a quantum computer later: %s is no post-quantum key exchange", l.Leg, orUnknown(s.Curve))
	}
	if s.Verified == tlsconf.VerifyCA {
		r.not("that the %s's certificate is this server's: tls.mode is verify-ca, and any certificate of that CA passes", l.Leg)
	}
	switch on := strings.ToUpper(l.Server.RequiresTLS); {
	case on == "ON" || on == "1":
		r.proven("%s: the server refuses every client without TLS (require_secure_transport)", l.Leg)
	default:
		r.not("that other clients of the %s use TLS: require_secure_transport is %s", l.Leg, orUnknown(l.Server.RequiresTLS))
	}
	switch l.Server.AccountRequires {
	case "SSL", "X509", "SPECIFIED":
		r.proven("%s: the server refuses the account %s without TLS (REQUIRE %s)", l.Leg, l.Server.Account, l.Server.AccountRequires)
	default:
		r.not("that nobody uses the account %s on the %s without TLS: its REQUIRE is %s", l.Server.Account, l.Leg, orUnknown(l.Server.AccountRequires))
	}
}

func (r *Report) judgeAtRest() {
	a := r.AtRest
	if a.Result == change.AtRestVerified {
		r.proven("target at rest: %s (asked: %s)", a.Seen, strings.Join(a.How, "; "))
	} else {
		r.not("that the target's disks are encrypted: %s; %s", a.Result, a.Seen)
	}
	for _, m := range a.Missing {
		r.not("target at rest: %s", m)
	}
}

// judgeParameters: what a running server has may have been set in its group after it started.
func (r *Report) judgeParameters(value string, err error) {
	r.ParameterGroup = value
	switch on := strings.ToUpper(value); {
	case err != nil:
		r.not("that the target's parameter group asks for TLS: %s", err)
	case on == "ON" || on == "1":
		r.proven("target: its parameter group has require_secure_transport=%s (asked: AWS)", value)
	default:
		r.not("that the target still refuses clients without TLS after a restart: its parameter group has require_secure_transport %s", orUnknown(value))
	}
}

// requireOf is the word behind REQUIRE of SHOW CREATE USER.
func requireOf(create string) string {
	_, rest, found := strings.Cut(create, " REQUIRE ")
	if !found {
		return ""
	}
	word, _, _ := strings.Cut(rest, " ")
	switch word {
	case "NONE", "SSL", "X509":
		return word
	}
	return "SPECIFIED" // SUBJECT, ISSUER, CIPHER.
}

func group(e *tlsconf.Evidence) string {
	switch {
	case e.Curve == "":
		return "(key exchange not told)"
	case e.PostQuantum:
		return "and " + e.Curve + " (post-quantum)"
	}
	return "and " + e.Curve
}

func short(fingerprint string) string {
	if len(fingerprint) > 16 {
		return fingerprint[:16] + "…"
	}
	return fingerprint
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// WriteText prints the report for a person.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, made %s on %s by binseal %s\nstream %s, config %s\n", r.Report, r.At.Format(time.RFC3339), r.Host, r.Version, r.Stream, short(r.ConfigHash))
	if p := r.Position; p != nil {
		fmt.Fprintf(&b, "position %s of source %s\n", p.Place, p.ServerUUID)
	}
	for _, l := range r.Legs {
		if s := l.Socket; s != nil {
			fmt.Fprintf(&b, "\n%s %s\n  certificate  %s, issued by %s, valid %s to %s\n  sha256       %s\n  key (spki)   %s\n", l.Leg, l.Addr, orUnknown(s.Subject), orUnknown(s.Issuer),
				s.NotBefore.Format(time.DateOnly), s.NotAfter.Format(time.DateOnly), s.Fingerprint, s.SPKI)
		} else {
			fmt.Fprintf(&b, "\n%s %s\n  no connection: %s\n", l.Leg, l.Addr, l.Problem)
		}
	}
	fmt.Fprintf(&b, "\ntarget at rest: %s (policy %s)\n", r.AtRest.Result, r.AtRest.Policy)
	if len(r.Daemon.Connections) > 0 {
		fmt.Fprintf(&b, "\nthe daemon, %s, has %d connections\n", r.Daemon.State, len(r.Daemon.Connections))
	}
	for _, c := range r.Daemon.Connections {
		fmt.Fprintf(&b, "  %-6s %-6s connection %d: %s %s here, %s %s there, certificate %s\n", c.Leg, c.Use, c.ConnectionID, c.Version, c.Cipher, c.ServerVersion, c.ServerCipher, short(c.Fingerprint))
	}
	list := func(title string, lines []string) {
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(&b, "  - %s\n", l)
		}
	}
	list("Proven", r.Proven)
	list("NOT proven", r.NotProven)
	_, err := io.WriteString(w, b.String())
	return err
}
