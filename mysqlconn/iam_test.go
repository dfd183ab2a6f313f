package mysqlconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/faultproxy"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/tlsconf"
)

// iamServer speaks the beginning of the MySQL protocol as RDS does for an account with AWSAuthenticationPlugin: TLS, then a
// switch to mysql_clear_password. It takes the tokens that the test names and answers every query with an error. A real
// server asks for clear passwords with a plugin of the enterprise edition only.
// Layout: "Connection Phase" of the server's source documentation; lengths little-endian.
type iamServer struct {
	listener net.Listener
	conf     *tls.Config

	mu     sync.Mutex // Guards what follows.
	valid  string
	tokens []string // That were sent, inside TLS.
	plain  int      // Bytes of a first packet that is no SSLRequest.
}

func startIAMServer(t *testing.T, cert tls.Certificate) *iamServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &iamServer{listener: l, conf: &tls.Config{Certificates: []tls.Certificate{cert}}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer c.Close(); s.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return s
}

// packet writes one packet.
func packet(w io.Writer, seq byte, body []byte) {
	_, _ = w.Write(append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), seq}, body...))
}

// receive reads one packet; nil when the connection ends.
func receive(r io.Reader) (body []byte, seq byte) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0
	}
	body = make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, 0
	}
	return body, head[3]
}

func (s *iamServer) serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	// HandshakeV10: version, id, 8 bytes of salt, capabilities (with SSL, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION).
	caps := uint32(0x0000_0001 | 0x0000_0200 | 0x0000_0800 | 0x0000_8000 | 0x0008_0000 | 0x0000_2000 | 0x0000_0008 | 0x0010_0000 | 0x0001_0000 | 0x0002_0000)
	greeting := append([]byte{10}, "8.0.40\x00"...)
	greeting = append(greeting, 7, 0, 0, 0)
	greeting = append(greeting, "12345678\x00"...)
	greeting = append(greeting, byte(caps), byte(caps>>8), 45, 2, 0, byte(caps>>16), byte(caps>>24), 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "123456789012\x00mysql_native_password\x00"...)
	packet(c, 0, greeting)
	request, seq := receive(c)
	if len(request) != 32 {
		s.mu.Lock()
		s.plain += len(request)
		s.mu.Unlock()
		return
	}
	conn := tls.Server(c, s.conf)
	if _, seq = receive(conn); seq == 0 {
		return
	}
	packet(conn, seq+1, append([]byte{0xfe}, "mysql_clear_password\x00"...))
	token, seq := receive(conn)
	s.mu.Lock()
	s.tokens = append(s.tokens, strings.TrimSuffix(string(token), "\x00"))
	ok := s.tokens[len(s.tokens)-1] == s.valid
	s.mu.Unlock()
	if !ok {
		packet(conn, seq+1, append([]byte{0xff, 0x15, 0x04}, "#28000Access denied for user 'iam'"...)) // 1045
		return
	}
	packet(conn, seq+1, []byte{0, 0, 0, 2, 0, 0, 0})
	for body, seq := receive(conn); body != nil; body, seq = receive(conn) {
		packet(conn, seq+1, append([]byte{0xff, 0x48, 0x04}, "#HY000not served here"...)) // 1096
	}
}

// replica logs in as the replicator does.
func replica(ctx context.Context, e *Endpoint) error {
	return e.Dump(ctx, func(d DumpSettings) error {
		conn, err := client.ConnectWithDialer(ctx, "tcp", net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port))), d.User, string(d.Password), "", d.Dial,
			func(c *client.Conn) error { c.SetTLSConfig(d.TLS); return nil })
		if err != nil {
			return Describe(e.Leg, "connect for the dump", err)
		}
		defer conn.Close()
		_, err = conn.Execute("SELECT 1")
		return Describe(e.Leg, "ask", err)
	})
}

// A token of RDS goes as a clear password, inside verified TLS and nowhere else, over both drivers; each dial makes a new
// one, and an expired one is not sent twice.
func TestTokensGoInsideTLSOnly(t *testing.T) {
	ca := newCA(t, "iam-ca")
	server := startIAMServer(t, issue(t, ca, testmysql.IssueOptions{}).TLS)
	long := strings.Repeat("x", 3000) // With a session token they are above 1 KB.
	made := 0
	expired := false
	provider := func(_ context.Context, refused ...Secret) (Secret, error) {
		if len(refused) > 0 {
			return refused[0], nil
		}
		made++
		token := long + string(rune('a'+made))
		if !expired {
			server.mu.Lock()
			server.valid = token
			server.mu.Unlock()
		}
		return Secret(token), nil
	}
	for leg, open := range map[string]func(context.Context, *Endpoint) error{"source": replica, "target": session} {
		proxy, err := faultproxy.New(server.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		e := endpoint(t, leg, proxy.Addr(), tlsconf.Config{CA: writeCA(t, ca)})
		e.User, e.Password = "iam", provider
		before := len(server.tokens)
		for range 2 {
			if err := open(t.Context(), e); err == nil || change.FaultOf(err) != nil && change.FaultOf(err).Code == "BS-AUTH-REFUSED" {
				t.Errorf("%s: a token that is valid is refused, or a server that answers nothing is taken: %v", leg, err)
			}
		}
		if n := len(server.tokens) - before; n != 2 || server.tokens[before] == server.tokens[before+1] {
			t.Errorf("%s: %d tokens for two dials", leg, n)
		}
		expired = true
		before = len(server.tokens)
		err = open(t.Context(), e)
		if f := change.FaultOf(err); f == nil || f.Code != "BS-AUTH-REFUSED" || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%s: an expired token: %v", leg, err)
		}
		if n := len(server.tokens) - before; n != 1 {
			t.Errorf("%s: an expired token was sent %d times", leg, n)
		}
		expired = false
		if plain := proxy.Plaintext(); len(plain) > 0 || server.plain > 0 {
			t.Errorf("%s: outside TLS: %q, %d bytes", leg, plain, server.plain)
		}
		// Somebody else's certificate: the token stays here.
		stranger := endpoint(t, leg, proxy.Addr(), tlsconf.Config{CA: writeCA(t, newCA(t, "another"))})
		stranger.User, stranger.Password = "iam", provider
		before = len(server.tokens)
		if err := open(t.Context(), stranger); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-TLS-REFUSED" || len(server.tokens) != before {
			t.Errorf("%s: %v, %d tokens sent to a stranger", leg, err, len(server.tokens)-before)
		}
		_ = proxy.Close()
	}
}

// A provider that knows another password is asked for it at once; one that does not is not asked for ever.
func TestARefusedPasswordIsNotTheEnd(t *testing.T) {
	ca := newCA(t, "rotation-ca")
	s := startServer(t, testmysql.Options{Name: "rotation", CA: ca, Binlog: true})
	s.Exec(t, "GRANT REPLICATION SLAVE ON *.* TO app") // Without, the dump itself is refused with the same number.
	for name, c := range map[string]struct {
		passwords []Secret
		asked     int
		ok        bool
	}{
		"the first":      {[]Secret{"app-password"}, 1, true},
		"the second":     {[]Secret{"old", "app-password"}, 2, true},
		"the third":      {[]Secret{"old", "older", "app-password"}, 3, true},
		"no fourth":      {[]Secret{"old", "older", "oldest", "app-password"}, 3, false},
		"the same again": {[]Secret{"old", "old", "app-password"}, 2, false},
	} {
		for leg, open := range legs {
			asked := 0
			var refusals [][]Secret
			e := endpoint(t, leg, s.Addr, tlsconf.Config{CA: writeCA(t, ca)})
			e.Password = func(_ context.Context, refused ...Secret) (Secret, error) {
				asked++
				refusals = append(refusals, slices.Clone(refused))
				return c.passwords[min(asked, len(c.passwords))-1], nil
			}
			err := open(t.Context(), e)
			if n, _ := Number(err); asked != c.asked || (n == accessDenied) == c.ok {
				t.Errorf("%s, %s: asked %d times, want %d: %v", name, leg, asked, c.asked, err)
			}
			for i, refused := range refusals {
				if len(refused) != i {
					t.Errorf("%s, %s: asked with %d refused ones at time %d", name, leg, len(refused), i+1)
				}
			}
		}
	}
	e := endpoint(t, "target", s.Addr, tlsconf.Config{CA: writeCA(t, ca)})
	failing := errors.New("the store is away")
	e.Password = func(_ context.Context, refused ...Secret) (Secret, error) {
		if len(refused) > 0 {
			return "", failing
		}
		return "old", nil
	}
	if n, _ := Number(session(t.Context(), e)); n != accessDenied {
		t.Error("what the second question fails with hides the refusal")
	}
}
