package change

import (
	"errors"
	"fmt"
	"strings"
)

// Class is the exit class of a fault: what the process's exit code tells a script (DESIGN.md §5).
type Class int

// The exit classes.
const (
	ClassRuntime     Class = 1 // Failed at run time; a restart may help.
	ClassConfig      Class = 2 // Bad config or usage.
	ClassEnvironment Class = 3 // The environment refuses: credentials, TLS, privileges.
	ClassPerson      Class = 4 // Needs a person: divergence, purged binlog, changed identity, lost claim.
)

// Fault is an error that reaches an operator: it has a stable code, says what is wrong and where, and what to do
// next. It never carries a row value, a credential or a server's error text (invariant 9).
type Fault struct {
	Code  string // Stable, such as "BS-DIVERGED"; docs/errors.md lists them.
	Class Class
	What  string // One sentence in the reader's words, lower case, no final stop.
	Where string // Position, table, key columns, file:line:column; "" when it has no place.
	Next  string // The next step, a sentence for the operator.
	Err   error  // The cause, when it is safe to print; may be nil.
}

// Error renders "where: what: cause [code]"; the next step is left to whoever prints for a person.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Where != "" {
		b.WriteString(f.Where)
		b.WriteString(": ")
	}
	b.WriteString(f.What)
	if f.Err != nil {
		fmt.Fprintf(&b, ": %v", f.Err)
	}
	fmt.Fprintf(&b, " [%s]", f.Code)
	return b.String()
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf finds the Fault in an error's chain, or nil.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return nil
}

// Halts reports whether err needs a person: the stream must stop at its position and not try again by itself.
func Halts(err error) bool {
	f := FaultOf(err)
	return f != nil && f.Class == ClassPerson
}
