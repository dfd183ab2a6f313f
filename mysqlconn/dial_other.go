//go:build !linux

package mysqlconn

import (
	"syscall"
	"time"
)

// setUserTimeout has no counterpart here: keep-alive alone ends an idle half-open connection.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }
