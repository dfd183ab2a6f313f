package mysqlconn

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/binseal/binseal/tlsconf"
)

// Connection is one open connection as both its ends see it: our end by its handshake, the server's by what it reports.
type Connection struct {
	tlsconf.Evidence
	Use           string `json:"use"` // "sql", or "binlog" for the dump.
	ConnectionID  uint64 `json:"connection_id"`
	ServerVersion string `json:"server_ssl_version"` // Ssl_version
	ServerCipher  string `json:"server_ssl_cipher"`  // Ssl_cipher
}

// Connections are the open connections of a process. The zero value is ready, nil keeps none; safe for concurrent use.
type Connections struct {
	mu   sync.Mutex // Guards open and next.
	open map[int]Connection
	next int
}

// Add notes a connection until leave is called.
func (c *Connections) Add(conn Connection) (leave func()) {
	if c == nil {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[int]Connection{}
	}
	id := c.next
	c.next++
	c.open[id] = conn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, id)
	}
}

// List gives the open ones, by leg and connection id.
func (c *Connections) List() []Connection {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.open), func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Leg, b.Leg), cmp.Compare(a.ConnectionID, b.ConnectionID))
	})
}
