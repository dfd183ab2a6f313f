// Package bench measures the daemon on real servers: its memory under the heaviest loads (memory_test.go). It holds
// no code that the daemon runs, proves nothing about correctness beyond equality at the end, and is not part of
// `make test`: its tests are built under the tag "bench", by the Makefile's bench targets.
package bench
