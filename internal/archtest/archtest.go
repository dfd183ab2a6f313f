// Package archtest holds the table of DESIGN.md §4, which package may import which, as a test, and with it the few
// rules of STYLE.md that a program can check: package comments, doc comments and sizes. It has no code that runs
// outside `go test`, and nothing imports it.
package archtest
