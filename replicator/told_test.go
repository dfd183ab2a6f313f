package replicator

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// A TIMESTAMP column made under explicit_defaults_for_timestamp=OFF updates itself; events before 8.0 do not tell, and
// a target's ON would have made another column of it.
func TestStatementsThatDoNotTellTakeTheSourcesDefaultsForTimestamp(t *testing.T) {
	off, on := false, true
	for name, tc := range map[string]struct {
		event change.SessionContext
		want  *bool
	}{
		"an event before 8.0":                     {change.SessionContext{}, &off},
		"an event that tells":                     {change.SessionContext{ExplicitDefaultsTS: &on}, &on},
		"an event of 8.0 that makes no TIMESTAMP": {change.SessionContext{DDLXID: 7}, nil},
	} {
		var got *bool
		err := told(SourceInfo{ExplicitDefaultsTS: &off}, func(txn *change.Txn) error {
			got = txn.DDL.Session.ExplicitDefaultsTS
			return nil
		})(&change.Txn{DDL: &change.Statement{Session: tc.event}})
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}
