//go:build !weak_collation

package schema

// collated is the property that a negative control of the fuzzer takes away, to show that it sees the difference: see
// weak_collation.go.
const collated = true // Keys are weighed as their collation compares them.
