package httpapi

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// DefaultListen is where the daemon listens when the config does not say.
const DefaultListen = "127.0.0.1:9621"

// Config is the http section of the configuration file.
type Config struct {
	// Listen is host:port. The host is a loopback address or "localhost"; port 0 takes a free one (Server.Addr
	// tells which).
	Listen string `yaml:"listen"`
}

// Validate refuses an address that other machines could reach. The listener has neither TLS nor a token, and
// /status names servers, tables and positions, so until it has both it is for this machine only.
func (c Config) Validate() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not host:port", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("listen: port %q is not a number from 0 to 65535", port)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen: %q is not a loopback address; the listener has no TLS and no token yet, "+
		"so it is refused on an address that others can reach", c.Listen)
}
