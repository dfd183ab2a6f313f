// Package cases reads the data cases of testdata/cases: a folder each, with what happens on the source and what must
// come of it on the target. Its test runs them between real servers in both apply modes; adding a case is adding a
// folder. The form of the files is described in testdata/cases/README.md.
package cases
