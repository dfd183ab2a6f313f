//go:build weak_record && !weak_fence

package checkpoint

// A build for the negative control only: recovery goes on from the leader's checkpoint and ignores what the
// followers recorded.
const (
	fenced   = true
	recorded = false
)
