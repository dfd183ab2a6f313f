//go:build weak_fence && !weak_record

package checkpoint

// A build for the negative control only: the mark matches whoever owns the stream.
const (
	fenced   = false
	recorded = true
)
