package mysqlconn

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	mysqlproto "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-sql-driver/mysql"

	"github.com/binseal/binseal/tlsconf"
)

// errDialTimeout stands for a dial, handshake or login that took longer than the endpoint's DialTimeout.
var errDialTimeout = errors.New("timed out")

// kind is what happened to a call, as far as a caller must care.
type kind uint8

const (
	kindOther     kind = iota // Not understood, or a wrong use.
	kindServer                // The server answered with an error number; the session lives, unless number says else.
	kindLost                  // The connection broke; what was sent may have been done.
	kindUnsent                // The connection was broken before anything was sent.
	kindCancelled             // The caller's context ended.
	kindConnect               // No connection: refused, unreachable, not resolved, too slow.
	kindTLS                   // TLS was refused.
	kindPlaintext             // The guard refused to send outside TLS.
	kindAuth                  // The login was refused without a number, by the driver itself.
)

// Error is an error of a MySQL connection in a form that is safe to print: it never holds a server's error text,
// which quotes row values and statements (invariant 9), but is rebuilt from the error number and known names.
type Error struct {
	Leg    string // "source" or "target"; may be empty.
	Op     string // What was being done, in the words of the caller; may be empty.
	Number uint16 // The server's error number; 0 when the error is not the server's.
	State  string // SQLSTATE; "" when unknown.

	kind  kind
	text  string // Safe; without the number.
	cause error  // A safe cause for errors.Is, such as context.Canceled; may be nil.
}

// Error renders "leg: op: Error 1062 (23000): duplicate key on key 'PRIMARY'".
func (e *Error) Error() string {
	var b strings.Builder
	for _, s := range []string{e.Leg, e.Op} {
		if s != "" {
			b.WriteString(s)
			b.WriteString(": ")
		}
	}
	if e.Number != 0 {
		fmt.Fprintf(&b, "Error %d", e.Number)
		if e.State != "" {
			fmt.Fprintf(&b, " (%s)", e.State)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.text)
	return b.String()
}

// Unwrap gives the cause where it is a known sentinel, such as context.Canceled or sql.ErrNoRows.
func (e *Error) Unwrap() error { return e.cause }

// scanError begins the text of database/sql for a value that does not convert; the value is quoted in it.
const scanError = "sql: Scan error on column"

// explain finds out what an error of either driver is and makes a safe one of it. It does not change err.
func explain(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return serverError(e.Number, string(e.SQLState[:]), e.Message)
	}
	if e, ok := errors.AsType[*mysqlproto.MyError](err); ok {
		return serverError(e.Code, e.State, e.Message)
	}
	if errors.Is(err, errPlaintext) {
		return &Error{kind: kindPlaintext, text: errPlaintext.Error()}
	}
	if strings.HasPrefix(err.Error(), scanError) { // Before any look at texts: this one quotes a value.
		return &Error{kind: kindOther, text: "a result column does not have the expected type"}
	}
	if reason, ok := tlsconf.Reason(err); ok {
		return &Error{kind: kindTLS, text: reason + tlsDetail(err)}
	}
	if e := explainLocal(err); e != nil {
		return e
	}
	// An unknown text may quote anything: only its type is told.
	return &Error{kind: kindOther, text: fmt.Sprintf("unexpected error of type %T, its text withheld", err)}
}

func serverError(number uint16, state, message string) *Error {
	state = strings.Trim(state, "\x00")
	if !sqlStateForm.MatchString(state) {
		state = ""
	}
	text, ok := serverTexts[number]
	if !ok {
		text = "server error"
	}
	if number == duplicateEntry || number == duplicateEntryWithName {
		if key := keyOfDuplicate(message); key != "" {
			text += " on key '" + key + "'"
		}
	}
	return &Error{kind: kindServer, Number: number, State: state, text: text}
}

var (
	sqlStateForm = regexp.MustCompile(`^[0-9A-Z]{5}$`)
	keyForm      = regexp.MustCompile(`^[A-Za-z0-9_$.]{1,193}$`) // table.key, of at most 64 characters each, and schema.
)

// keyOfDuplicate takes the key's name out of 1062's "Duplicate entry 'alice@example.com' for key 'users.email'".
// The value before it is the row's and may itself contain "for key 'x'": only the last occurrence can be the
// server's, and only when the message ends right behind a plain identifier and was not cut by the server, which
// keeps 511 bytes. When in doubt there is no name.
func keyOfDuplicate(message string) string {
	const mark, cutAt = "' for key '", 500
	if len(message) >= cutAt {
		return ""
	}
	at := strings.LastIndex(message, mark)
	if at < 0 {
		return ""
	}
	key, ok := strings.CutSuffix(message[at+len(mark):], "'")
	if !ok || !keyForm.MatchString(key) {
		return ""
	}
	return key
}

// tlsDetail adds Go's own words where they are made of names in certificates, which are public.
func tlsDetail(err error) string {
	var detail error
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		detail = e
	} else if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		detail = e
	} else if e, ok := errors.AsType[*tlsconf.PinError](err); ok {
		detail = e
	}
	if detail == nil {
		return ""
	}
	return fmt.Sprintf(" (%s)", detail)
}

// explainLocal names errors that came from this side: the network, a context, a driver, database/sql.
func explainLocal(err error) *Error {
	if errors.Is(err, errDialTimeout) {
		return &Error{kind: kindConnect, text: "no session within the dial timeout"}
	}
	if errors.Is(err, errGreeting) {
		return &Error{kind: kindConnect, text: errGreeting.Error()}
	}
	if e := explainDial(err); e != nil {
		return e
	}
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &Error{kind: kindCancelled, text: cause.Error(), cause: cause}
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return &Error{kind: kindOther, text: "the result has no row", cause: sql.ErrNoRows}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return &Error{kind: s.kind, text: s.text + networkDetail(err)}
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return &Error{kind: kindLost, text: "connection lost" + networkDetail(err)}
	}
	for _, t := range driverTexts {
		if strings.Contains(err.Error(), t.contains) {
			return &Error{kind: t.kind, text: t.text}
		}
	}
	return nil
}

// sentinels are errors of the drivers and of database/sql that carry no text of the server's.
var sentinels = []struct {
	err  error
	kind kind
	text string
}{
	{driver.ErrBadConn, kindUnsent, "connection lost before the statement was sent"},
	{sql.ErrConnDone, kindUnsent, "the session is closed"},
	{errSecondDial, kindUnsent, errSecondDial.Error()},
	{mysql.ErrInvalidConn, kindLost, "connection lost"},
	{mysqlproto.ErrBadConn, kindLost, "connection lost"},
	{mysql.ErrPktSync, kindLost, "packets out of order"},
	{mysql.ErrPktSyncMul, kindLost, "packets out of order"},
	{mysql.ErrMalformPkt, kindLost, "malformed packet"},
	{mysqlproto.ErrMalformPacket, kindLost, "malformed packet"},
	{mysql.ErrBusyBuffer, kindOther, "the session was used before the last result was read"},
	{mysql.ErrPktTooLarge, kindOther, "the statement is longer than the server's max_allowed_packet"},
	{mysql.ErrCleartextPassword, kindAuth, "the server asks for a cleartext password"},
	{mysql.ErrNativePassword, kindAuth, "the server asks for mysql_native_password"},
	{mysql.ErrOldPassword, kindAuth, "the server asks for the password hash of MySQL 4.0"},
	{mysql.ErrUnknownPlugin, kindAuth, "the user's authentication plugin is not supported"},
	{mysql.ErrOldProtocol, kindConnect, "the server is too old"},
	{io.ErrUnexpectedEOF, kindLost, "connection lost"},
	{io.EOF, kindLost, "connection lost"},
	{net.ErrClosed, kindLost, "connection lost"},
}

// driverTexts recognise errors that the drivers give only as text. The text given out is ours.
var driverTexts = []struct {
	contains string
	kind     kind
	text     string
}{
	{"sql: Rows are closed", kindOther, "the result was closed"},
	{"sql: database is closed", kindUnsent, "the session is closed"},
	{"unknown auth plugin name", kindAuth, "the server's authentication plugin is not supported"},
	{"auth plugin", kindAuth, "the user's authentication plugin is not supported"},
	{"connection was bad", kindLost, "connection lost"},
	{"invalid connection", kindLost, "connection lost"},
	{"bad connection", kindLost, "connection lost"}, // While a file is sent.
}

// explainDial names the errors of a connection that did not come about; nil for others.
func explainDial(err error) *Error {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		text := "the host name does not resolve"
		if e.IsTimeout {
			text = "the name server does not answer"
		}
		return &Error{kind: kindConnect, text: text}
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "dial" || errors.Is(err, context.Canceled) {
		return nil
	}
	text := "no connection" + networkDetail(err)
	return &Error{kind: kindConnect, text: text}
}

// networkDetail tells why the network failed, in words that hold no address and no data.
func networkDetail(err error) string {
	for _, n := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.ETIMEDOUT, syscall.ECONNABORTED, syscall.EADDRNOTAVAIL, syscall.EMFILE,
	} {
		if errors.Is(err, n) {
			return ": " + n.Error()
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ": timed out"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return ": timed out"
	}
	return ""
}
