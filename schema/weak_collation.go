//go:build weak_collation

package schema

// A build for the negative control only: keys are compared as bytes.
const collated = false
