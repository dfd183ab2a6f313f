// Package bench measures binseal on real servers, side by side with what it competes with: catch-up from one backlog
// by native replication, by mysqlbinlog | mysql and by binseal in both modes (catchup.go), the lag at a steady rate
// (steady.go), distance to the target, sessions and sizes (distance.go); and the daemon's memory under the
// heaviest loads (memory_test.go).
//
// A run begins from the same data on both sides each time, compares both sides at its end, and is written down with the
// machine and the servers' settings (report.go). The package holds no code that the daemon runs, and is not part of
// `make test`, apart from a small run of itself: the Makefile's bench targets call bench/run.
package bench
