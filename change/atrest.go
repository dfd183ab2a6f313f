package change

import "time"

// AtRestResult says how far encryption at rest has been proven. There is no "encrypted": a result names what was asked.
type AtRestResult string

// The results.
const (
	AtRestVerified   AtRestResult = "verified"   // Whoever keeps the storage says so, and the policy is met.
	AtRestUnverified AtRestResult = "unverified" // Nobody who knows could be asked, or the answer leaves it open.
	AtRestRefused    AtRestResult = "refused"    // It is not encrypted, or not as the policy asks.
	AtRestSkipped    AtRestResult = "skipped"    // The operator's config says not to look.
)

// AtRestPolicyAny is the policy that any key meets; it also puts up with what cannot be verified, and says so.
const AtRestPolicyAny = "any"

// AtRest is what was found out about a target's encryption at rest, and how. It holds names and states only.
type AtRest struct {
	Result  AtRestResult `json:"result"`
	Policy  string       `json:"policy"`            // target.at_rest.require: any, cmk, a key's ARN, skip.
	Seen    string       `json:"seen"`              // The facts, in one sentence.
	How     []string     `json:"how"`               // Who was asked what: "rds:DescribeDBClusters shop in eu-west-1".
	Missing []string     `json:"missing,omitempty"` // What was not proven, each with its reason.
	At      time.Time    `json:"at"`
	// Transient: it is unverified because nobody answered in time; asking again may help.
	Transient bool `json:"-"`
	// Of a cluster or instance of RDS; empty elsewhere.
	Resource       string `json:"resource,omitempty"`        // ARN.
	ResourceID     string `json:"resource_id,omitempty"`     // DbClusterResourceId: stays over a rename, differs after a restore.
	EncryptionType string `json:"encryption_type,omitempty"` // none, sse-rds, sse-kms; "" where the API does not say.
	KeyID          string `json:"kms_key,omitempty"`         // ARN.
	KeyManager     string `json:"key_manager,omitempty"`     // CUSTOMER or AWS.
	KeyState       string `json:"key_state,omitempty"`       // Enabled, Disabled, PendingDeletion, …
}
