package mysqlconn

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall does not name.
const tcpUserTimeout = 0x12

// setUserTimeout bounds how long sent bytes may stay without an answer from the peer's kernel. Keep-alive does not
// run while bytes are unacknowledged: without this a half-open connection under load lasts about 15 minutes.
func setUserTimeout(raw syscall.RawConn, limit time.Duration) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(limit.Milliseconds()))
	}); cerr != nil {
		return cerr
	}
	return err
}
