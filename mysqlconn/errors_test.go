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
	"strings"
	"syscall"
	"testing"

	mysqlproto "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	pingcap "github.com/pingcap/errors"

	"github.com/binseal/binseal/change"
)

// canary stands for what a row holds. Servers quote it in their texts.
const canary = "alice@example.com"

func server(number uint16, message string) error {
	return &mysql.MySQLError{Number: number, SQLState: [5]byte([]byte("HY000")), Message: message}
}

type verdict struct {
	Text                                         string
	Code                                         string
	Retryable, Ambiguous, LockConflict, ReadOnly bool
}

func TestErrorsAreNamedAndClassified(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: &net.AddrError{Err: canary}}
	for name, tc := range map[string]struct {
		err  error
		want verdict
	}{
		"a duplicate key names the key and not the value": {
			&mysql.MySQLError{Number: 1062, SQLState: [5]byte([]byte("23000")), Message: "Duplicate entry '" + canary + "' for key 'users.email'"},
			verdict{Text: "target: apply: Error 1062 (23000): duplicate key on key 'users.email'"},
		},
		"go-mysql's error is the same": {
			pingcap.Trace(mysqlproto.NewError(1062, "Duplicate entry '"+canary+"' for key 'PRIMARY'")),
			verdict{Text: "target: apply: Error 1062 (23000): duplicate key on key 'PRIMARY'"},
		},
		"a value that looks like a key is not taken for one": {
			server(1062, "Duplicate entry 'x' for key '"+canary+"' for key 'users.email'"),
			verdict{Text: "target: apply: Error 1062 (HY000): duplicate key on key 'users.email'"},
		},
		"a message without its end gives no key": {
			server(1062, "Duplicate entry 'x' for key 'alice' and "+strings.Repeat("y", 40)),
			verdict{Text: "target: apply: Error 1062 (HY000): duplicate key"},
		},
		"a message that the server cut gives no key": {
			server(1062, strings.Repeat("z", 490)+"' for key 'alice'"),
			verdict{Text: "target: apply: Error 1062 (HY000): duplicate key"},
		},
		"a key with odd letters is left out": {
			server(1062, "Duplicate entry 'x' for key 'alice@example.com'"),
			verdict{Text: "target: apply: Error 1062 (HY000): duplicate key"},
		},
		"a syntax error does not quote the statement": {
			server(1064, "You have an error near '"+canary+"' at line 1"), verdict{Text: "target: apply: Error 1064 (HY000): syntax error"},
		},
		"an unknown number has no text": {
			server(4999, canary), verdict{Text: "target: apply: Error 4999 (HY000): server error"},
		},
		"a deadlock is a lock conflict": {
			server(1213, canary), verdict{Text: "target: apply: Error 1213 (HY000): deadlock", Retryable: true, LockConflict: true},
		},
		"a lock wait timeout is a lock conflict": {
			server(1205, canary), verdict{Text: "target: apply: Error 1205 (HY000): lock wait timeout", Retryable: true, LockConflict: true},
		},
		"a read-only server may be an old writer": {
			server(1290, canary), verdict{Text: "target: apply: Error 1290 (HY000): the server is read-only", Retryable: true, ReadOnly: true},
		},
		"InnoDB's read-only mode in DML": {
			server(1015, canary), verdict{Text: "target: apply: Error 1015 (HY000): the storage engine is read-only or cannot lock", Retryable: true, ReadOnly: true},
		},
		"too many connections passes": {
			server(1040, canary), verdict{Text: "target: apply: Error 1040 (HY000): too many connections", Retryable: true},
		},
		"a shutdown leaves a COMMIT open": {
			server(1053, canary), verdict{Text: "target: apply: Error 1053 (HY000): the server is shutting down", Retryable: true, Ambiguous: true},
		},
		"an idle kill": {
			server(4031, canary), verdict{Text: "target: apply: Error 4031 (HY000): the server closed the idle connection", Retryable: true, Ambiguous: true},
		},
		"a broken connection leaves all open": {
			mysql.ErrInvalidConn, verdict{Text: "target: apply: connection lost", Retryable: true, Ambiguous: true},
		},
		"a reset connection too": {
			fmt.Errorf("read: %w", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}),
			verdict{Text: "target: apply: connection lost: connection reset by peer", Retryable: true, Ambiguous: true},
		},
		"an end of stream too": {
			pingcap.Annotate(io.EOF, canary), verdict{Text: "target: apply: connection lost", Retryable: true, Ambiguous: true},
		},
		"go-mysql's bad connection too": {
			pingcap.Trace(mysqlproto.ErrBadConn), verdict{Text: "target: apply: connection lost", Retryable: true, Ambiguous: true},
		},
		"a connection that was lost before is not ambiguous": {
			driver.ErrBadConn, verdict{Text: "target: apply: connection lost before the statement was sent", Retryable: true},
		},
		"a closed session is not ambiguous": {
			sql.ErrConnDone, verdict{Text: "target: apply: the session is closed", Retryable: true},
		},
		"a cancelled statement is ambiguous and not to be repeated": {
			context.Canceled, verdict{Text: "target: apply: context canceled", Ambiguous: true},
		},
		"a refused login is a fault without the user's name": {
			server(1045, "Access denied for user '"+canary+"'"),
			verdict{Code: "BS-AUTH-REFUSED", Text: "target: apply: the server refuses access: Error 1045 (HY000): access denied [BS-AUTH-REFUSED]"},
		},
		"a missing privilege is a fault": {
			server(1142, canary), verdict{Code: "BS-PRIVILEGE", Text: "target: apply: the account lacks a privilege: Error 1142 (HY000): privilege missing on the table [BS-PRIVILEGE]"},
		},
		"no connection is a fault that may pass": {
			refused, verdict{Code: "BS-CONNECT", Text: "target: apply: the server cannot be reached: no connection [BS-CONNECT]", Retryable: true},
		},
		"a name that does not resolve": {
			&net.OpError{Op: "dial", Err: &net.DNSError{Err: canary, Name: canary}},
			verdict{Code: "BS-CONNECT", Text: "target: apply: the server cannot be reached: the host name does not resolve [BS-CONNECT]", Retryable: true},
		},
		"a server without TLS is a fault": {
			mysql.ErrNoTLS, verdict{Code: "BS-TLS-REFUSED", Text: "target: apply: TLS connection refused: server offers no TLS [BS-TLS-REFUSED]"},
		},
		"an unknown CA is a fault": {
			pingcap.Trace(fmt.Errorf("writeAuthHandshake: %w", x509.UnknownAuthorityError{})),
			verdict{Code: "BS-TLS-REFUSED", Text: "target: apply: TLS connection refused: certificate signed by an unknown CA [BS-TLS-REFUSED]"},
		},
		"a value that does not convert is not quoted": {
			fmt.Errorf(`sql: Scan error on column index 0, name "n": converting driver.Value type []uint8 (%q) to a int: tls: server sent x509: `, canary),
			verdict{Text: "target: apply: a result column does not have the expected type"},
		},
		"an unknown error keeps its text to itself": {
			errors.New(canary), verdict{Text: "target: apply: unexpected error of type *errors.errorString, its text withheld"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			described := Describe("target", "apply", tc.err)
			if diff := cmp.Diff(tc.want, verdictOf(described, described.Error())); diff != "" {
				t.Errorf("described (-want +got):\n%s", diff)
			}
			// The predicates say the same of the raw error, and of one wrapped by a caller.
			for _, err := range []error{tc.err, fmt.Errorf("epoch 7: %w", described)} {
				got := verdictOf(err, tc.want.Text)
				got.Code = tc.want.Code
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("predicates of %T (-want +got):\n%s", err, diff)
				}
			}
			if text := fmt.Sprintf("%v %+v", described, described); strings.Contains(text, canary) {
				t.Errorf("the error shows a value: %s", text)
			}
		})
	}
}

func verdictOf(err error, text string) verdict {
	v := verdict{
		Text: text, Retryable: Retryable(err), Ambiguous: Ambiguous(err), LockConflict: LockConflict(err), ReadOnly: ReadOnly(err),
	}
	if f := change.FaultOf(err); f != nil {
		v.Code = f.Code
	}
	return v
}

func TestDescribeKeepsWhatIsThere(t *testing.T) {
	if err := Describe("target", "apply", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	fault := &change.Fault{Code: "BS-X", What: "x"}
	if err := Describe("target", "apply", fmt.Errorf("outer: %w", fault)); err == nil || err.Error() != "outer: x [BS-X]" {
		t.Errorf("a Fault became %v", err)
	}
	inner := Describe("source", "ask", server(1205, ""))
	if got, want := Describe("target", "claim", inner).Error(), "source: claim: ask: Error 1205 (HY000): lock wait timeout"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(Describe("target", "look", sql.ErrNoRows), sql.ErrNoRows) {
		t.Error("sql.ErrNoRows is lost")
	}
	if !errors.Is(Describe("target", "look", fmt.Errorf("x: %w", context.DeadlineExceeded)), context.DeadlineExceeded) {
		t.Error("context.DeadlineExceeded is lost")
	}
	for _, err := range []error{nil, errors.New("x")} {
		if _, ok := Number(err); ok || Retryable(err) || Ambiguous(err) || LockConflict(err) || ReadOnly(err) {
			t.Errorf("a predicate holds for %v", err)
		}
	}
}
