package mysqlconn

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a password or token. Invariant 9: row values, passwords and tokens never reach a log, a metric, an
// error or a page: however it is formatted, marshalled or logged, it gives "[redacted]". The one way to the value
// is the conversion string(s), which stands only where a driver takes it. Do not keep a Secret in an unexported
// struct field: fmt prints those without asking the type.
type Secret string

// String gives "[redacted]".
func (Secret) String() string { return redacted }

// GoString gives "[redacted]", for %#v.
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb: a wrong one, such as %d, would otherwise print the raw value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives "[redacted]", also for JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue gives "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
