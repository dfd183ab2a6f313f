//go:build !crashpoints

// Package crashpoint names the places of the commit protocol at which the kill tests end the process.
//
// In a normal build Reach does nothing and is inlined away. With the build tag "crashpoints" it kills the
// process with SIGKILL at the point named by BINSEAL_CRASH_AT (see crashpoint_on.go). The applier, the checkpoint
// and the stream call it; nothing else does.
package crashpoint

// Reach marks a named point of the protocol.
func Reach(string) {}
