package mysqlconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Invariant 5: no byte of a row, a credential or a query leaves over a connection that is not TLS.
func TestGuardSendsOnlyTLS(t *testing.T) {
	request := append([]byte{32, 0, 0, 1, 0, 0x08, 0, 0}, make([]byte, 28)...) // CLIENT_SSL
	plainLogin := append([]byte{32, 0, 0, 1, 0, 0, 0, 0}, make([]byte, 28)...) // The same without.
	record := []byte{22, 3, 1, 0, 1, 0}
	query := []byte("\x09\x00\x00\x00\x03SELECT 1")
	for name, tc := range map[string]struct {
		writes [][]byte
		want   []byte
		err    error
	}{
		"a request and records pass":           {[][]byte{request, record, record}, bytes.Join([][]byte{request, record, record}, nil), nil},
		"a login without TLS is held back":     {[][]byte{plainLogin}, nil, errPlaintext},
		"a query in clear is held back":        {[][]byte{query}, nil, errPlaintext},
		"a record without a request":           {[][]byte{record}, nil, errPlaintext},
		"a query in clear after the request":   {[][]byte{request, query}, request, errPlaintext},
		"a second request is held back":        {[][]byte{request, request}, request, errPlaintext},
		"a request with more behind it":        {[][]byte{append(bytes.Clone(request), query...)}, nil, errPlaintext},
		"a query in clear between two records": {[][]byte{request, record, query, record}, append(bytes.Clone(request), record...), errPlaintext},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			got := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(far)
				got <- b
			}()
			guard, err := &guardedConn{Conn: near}, error(nil)
			for _, w := range tc.writes {
				if _, err = guard.Write(w); err != nil {
					break
				}
			}
			_ = near.Close()
			if sent := <-got; !bytes.Equal(sent, tc.want) || !errors.Is(err, tc.err) {
				t.Errorf("sent %x, error %v", sent, err)
			}
		})
	}
}

// A man in the middle appended a forged OK to the plaintext greeting; a driver that reads ahead would have taken it
// for the server's answer to its login. (The STARTTLS injection of 2021, in MySQL's protocol.)
func TestGuardGivesOnlyTheGreetingBeforeTLS(t *testing.T) {
	greeting, forged := []byte("\x05\x00\x00\x00hello"), []byte("\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00")
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		_, _ = far.Write(append(bytes.Clone(greeting), forged...))
		_ = far.Close()
	}()
	guard := &guardedConn{Conn: near}
	var reads [][]byte
	for range 3 {
		b := make([]byte, 4096)
		n, err := guard.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		reads = append(reads, b[:n])
	}
	// The forged bytes come alone, to the TLS client, which refuses them.
	if diff := cmp.Diff([][]byte{greeting[:4], greeting[4:], forged}, reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

func TestGuardRefusesAGreetingWithoutEnd(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = far.Write([]byte("HTTP/1.1 400 Bad Request\r\n"))
		_ = far.Close()
	}()
	guard := &guardedConn{Conn: near}
	if _, err := guard.Read(make([]byte, 4096)); !errors.Is(err, errGreeting) {
		t.Errorf("got %v", err)
	}
}

// A server refused our client certificate, closed, and we said that the connection was lost: the login was written
// into the closed connection, and the alert that told why stayed unread.
func TestLastWordsAreReadBehindAFailedWrite(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	const words = "last words"
	dialled := make(chan struct{})
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		<-dialled
		_, _ = c.Write([]byte(words))
		_ = c.(*net.TCPConn).SetLinger(0) // Ends in a reset, as a close does that leaves bytes unread.
		_ = c.Close()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	close(dialled)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	g := &guardedConn{Conn: conn, greeted: true, asked: true}
	record := []byte{23, 3, 3, 0, 1, 0}
	for g.gone == nil { // The reset takes a moment to arrive.
		if _, err := g.Write(record); err != nil {
			t.Fatalf("a write reports %v and hides what the peer said", err)
		}
		time.Sleep(time.Millisecond)
	}
	got := make([]byte, 100)
	n, err := g.Read(got)
	if string(got[:n]) != words || err != nil {
		t.Errorf("read %q, %v", got[:n], err)
	}
	if _, err := g.Read(got); err == nil {
		t.Error("a read behind the last words has no error")
	}
	if _, err := g.Write(record); err == nil {
		t.Error("a second write has no error")
	}
}
