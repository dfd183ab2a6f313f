package change

import (
	"fmt"

	"github.com/google/uuid"
)

// replicaSpace is the name space of our replica UUIDs (RFC 9562, version 5).
var replicaSpace = uuid.MustParse("6a1d8a36-6f0f-4f52-9f2b-6c1f0d3b7c55")

// ReplicaUUID names the reader of a stream to the source. It is the same at every connection with a server id, so that the
// source ends the thread of an older connection and tells it why; and it tells our own daemons from other replicas.
func ReplicaUUID(serverID uint32) uuid.UUID {
	return uuid.NewSHA1(replicaSpace, fmt.Appendf(nil, "binseal replica %d", serverID))
}
