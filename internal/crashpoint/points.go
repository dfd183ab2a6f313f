package crashpoint

// The named points, in the order in which an epoch passes them. All lists them for the kill tests.
const (
	ClaimSent      = "claim.sent"      // Owner rewritten, not committed.
	Claimed        = "claimed"         // Owner committed, nothing read yet.
	EpochBegin     = "epoch.begin"     // An epoch planned, nothing of it sent.
	Executed       = "executed"        // Every statement of a session's share answered, no COMMIT sent.
	Beside         = "epoch.beside"    // An epoch begun beside one that is executed; no COMMIT of either sent.
	Barrier        = "barrier"         // All sessions of a split epoch executed, none committed.
	FollowerCommit = "follower.commit" // One follower committed, the leader has not.
	BeforeLeader   = "leader.before"   // All followers committed, the leader's COMMIT not sent.
	LeaderCommit   = "leader.commit"   // The leader's COMMIT answered.
	LargeSlice     = "large.slice"     // A slice of an oversized transaction executed.
	IntentCommit   = "ddl.intent"      // Intent committed, the DDL not sent.
	DDLDone        = "ddl.done"        // The DDL answered, not recorded.
	DDLRecorded    = "ddl.recorded"    // The record of the DDL committed.
	RecoverBegin   = "recover.begin"   // A half-done epoch found.
	RecoverDone    = "recover.done"    // Its recovery executed, not committed.
)

// All lists the named points.
func All() []string {
	return []string{ClaimSent, Claimed, EpochBegin, Executed, Beside, Barrier, FollowerCommit, BeforeLeader, LeaderCommit,
		LargeSlice, IntentCommit, DDLDone, DDLRecorded, RecoverBegin, RecoverDone}
}
