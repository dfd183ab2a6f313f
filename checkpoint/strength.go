//go:build !weak_fence && !weak_record

package checkpoint

// The two properties that the negative controls of the kill tests take away, to show that the harness sees the
// difference: see weak_fence.go and weak_record.go.
const (
	fenced   = true // The mark matches only under our own owner and the epoch before.
	recorded = true // Recovery looks at the followers' rows.
)
