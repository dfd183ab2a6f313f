// Package fuzzapply makes random cases: tables over all column types, character sets, collations and kinds of keys,
// and transactions over them from several sessions, XA among them, with values that lean to extremes and to collisions,
// some of them under other names on the target. Its test runs them between real servers in both apply modes, kills the
// daemon at times, and compares both sides; a difference shrinks to a folder in the form of testdata/cases.
//
// The package holds the generator; only tests use it. A case depends on nothing but its seed and what the server
// lists (Facts), so that a seed is the case.
package fuzzapply
