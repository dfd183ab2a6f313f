package mysqlconn

import (
	"strings"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/tlsconf"
)

// Describe makes an error of a MySQL connection printable: the leg, what was being done, and what happened, in words
// of our own. What an operator must repair becomes a *change.Fault: BS-TLS-REFUSED, BS-TLS-ABSENT, BS-AUTH-REFUSED
// and BS-PRIVILEGE (class 3), BS-CONNECT (class 1: it may pass by itself). Everything else becomes an *Error. A Fault
// stays as it is, nil stays nil. The predicates of this package give the same answers before and after.
func Describe(leg, op string, err error) error { return describe(leg, "", op, err) }

func describe(leg, addr, op string, err error) error {
	if err == nil {
		return nil
	}
	if change.FaultOf(err) != nil {
		return err
	}
	e := *explain(err)
	if e.Leg == "" {
		e.Leg = leg
	}
	if op != "" && op != e.Op {
		e.Op = strings.TrimSuffix(op+": "+e.Op, ": ")
	}
	f := faultFor(&e)
	if f == nil {
		return &e
	}
	f.Where = place(e.Leg, addr)
	if e.Op != "" {
		f.What = e.Op + ": " + f.What
	}
	e.Leg, e.Op = "", "" // The Fault says both.
	f.Err = &e
	return f
}

// place names an endpoint: "target db.example:3306".
func place(leg, addr string) string { return strings.TrimSpace(leg + " " + addr) }

// faultFor gives the Fault for what an operator must see, without place and cause; nil for other errors.
func faultFor(e *Error) *change.Fault {
	switch {
	case e.kind == kindTLS:
		return &change.Fault{
			Code: "BS-TLS-REFUSED", Class: change.ClassEnvironment,
			What: "TLS connection refused", Next: tlsNext(e.Leg, e.text),
		}
	case e.kind == kindPlaintext:
		return &change.Fault{
			Code: "BS-TLS-ABSENT", Class: change.ClassEnvironment,
			What: "a connection without TLS was prevented", Next: "report this: a driver tried to send bytes outside TLS",
		}
	case e.kind == kindAuth || authNumbers[e.Number]:
		next := "check user, password and the hosts that the account allows; an account with REQUIRE X509 needs tls.cert and tls.key"
		if e.Leg == "source" && e.Number == accessDenied {
			next += "; for the dump itself the same answer means that REPLICATION SLAVE is not granted"
		}
		return &change.Fault{Code: "BS-AUTH-REFUSED", Class: change.ClassEnvironment, What: "the server refuses access", Next: next}
	case privilegeNumbers[e.Number]:
		return &change.Fault{
			Code: "BS-PRIVILEGE", Class: change.ClassEnvironment,
			What: "the account lacks a privilege", Next: "grant what `binseal check` lists for this leg",
		}
	case e.kind == kindConnect:
		return &change.Fault{
			Code: "BS-CONNECT", Class: change.ClassRuntime,
			What: "the server cannot be reached", Next: "check addr, the network and that the server runs",
		}
	}
	return nil
}

// legacyNext is what can be done about a source that cannot be brought to TLS 1.2.
const legacyNext = ", or move the stream to a replica of it that does; where neither can be, source.tls.legacy: true takes TLS 1.0 with " +
	"key exchange by RSA: verified, but weak, and shown as weak wherever the connection is"

// tlsNext is the next step for a refused handshake.
func tlsNext(leg, text string) string {
	if leg == "source" && strings.HasPrefix(text, tlsconf.ReasonOldVersion) {
		return "let the server speak TLS 1.2 or later" + legacyNext
	}
	if leg == "source" && strings.HasPrefix(text, tlsconf.ReasonNoCommon) {
		return "let the server take today's cipher suites" + legacyNext
	}
	for _, t := range []struct{ reason, next string }{
		{tlsconf.ReasonNoTLS, "switch TLS on at the server; binseal never connects without it"},
		{tlsconf.ReasonNotTLS, "check that addr is a MySQL server's port and that nothing in between ends the connection"},
		{tlsconf.ReasonUnknownCA, "put the CA that issued the server's certificate into tls.ca"},
		{tlsconf.ReasonOtherHost, "use the name that the certificate has in addr, or set tls.server_name to it"},
		{tlsconf.ReasonNoHost, "give the server a certificate with its name (SAN), or use tls.mode verify-ca or pin"},
		{tlsconf.ReasonExpired, "renew the server's certificate"},
		{tlsconf.ReasonNotYetValid, "check this machine's clock and the certificate's start"},
		{tlsconf.ReasonWrongUsage, "give the server a certificate for server authentication"},
		{tlsconf.ReasonSHA1, "issue the server's certificate anew with SHA-256, or pin its key (tls.mode pin)"},
		{tlsconf.ReasonOldVersion, "the server must speak TLS 1.2 or later"},
		{tlsconf.ReasonPin, "compare the key with the server's; if it was replaced on purpose, update tls.pin"},
		{tlsconf.ReasonClientCert, "set tls.cert and tls.key to a certificate that the server's CA has issued"},
		{tlsconf.ReasonNoSystemRoot, "install the system's CA certificates, or name a file in tls.ca"},
	} {
		if strings.HasPrefix(text, t.reason) {
			return t.next
		}
	}
	return "compare the server's TLS settings with this leg's tls section"
}

// Number is the server's error number; ok is false when the error is not the server's.
func Number(err error) (number uint16, ok bool) {
	if err == nil {
		return 0, false
	}
	n := explain(err).Number
	return n, n != 0
}

// Retryable reports that the cause may pass by itself: drop the session, and start again from the record. It holds
// for lost and refused connections, lock conflicts, read-only servers (a failover) and shortages. It says nothing
// about whether the last statement was done: see Ambiguous.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	e := explain(err)
	switch e.kind {
	case kindLost, kindUnsent, kindConnect:
		return true
	case kindServer:
		n := e.Number
		return lostNumbers[n] || lockNumbers[n] || readOnlyNumbers[n] || shortageNumbers[n]
	}
	return false
}

// Ambiguous reports that the statement may have been done although it gave an error: its reply was lost, or the
// server's answer leaves it open. After a COMMIT only the record on the target can tell.
func Ambiguous(err error) bool {
	if err == nil {
		return false
	}
	e := explain(err)
	switch e.kind {
	case kindLost, kindCancelled:
		return true
	case kindServer:
		return lostNumbers[e.Number] || ambiguousNumbers[e.Number]
	}
	return false
}

// LockConflict reports a lock wait timeout (1205) or a deadlock (1213). After 1213 the whole transaction is rolled
// back, after 1205 only the statement, unless the server has innodb_rollback_on_timeout: roll back in both cases.
func LockConflict(err error) bool {
	n, _ := Number(err)
	return lockNumbers[n]
}

// ReadOnly reports that the server, or InnoDB in it, takes no writes: most often we are connected to what was the
// writer before a failover. Drop all sessions and connect again.
func ReadOnly(err error) bool {
	n, _ := Number(err)
	return readOnlyNumbers[n]
}
