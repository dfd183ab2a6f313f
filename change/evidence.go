package change

import "time"

// Evidence tells one transaction from another that bears the same GTID: two servers that show the same evidence for
// it have the same history up to there. A set of GTIDs alone does not prove that. A source that was rebuilt counts
// its transactions anew, and once it has more of them than the checkpoint, its set contains the checkpoint's.
//
// The time is the original one's, in microseconds, and every replica of a history keeps it. Sources that do not log
// it (before MySQL 8.0.1) leave the digest of the rows instead; MariaDB's covers the second of each statement too, which
// its replicas keep.
type Evidence struct {
	GTID     GTID      `json:"gtid"`
	Original time.Time `json:"original_commit,omitzero"` // original_commit_timestamp; zero when the log does not carry it.
	Digest   string    `json:"digest,omitempty"`         // Hex SHA-256 of the rows, where there is no time.
	// Behind is the transaction before it in its domain, of MariaDB: by that the source is asked for this one. Zero for
	// the first of a domain.
	Behind GTID `json:"behind,omitzero"`
}

// IsZero reports that nothing is shown: for a transaction without GTID, or with neither a time nor rows.
func (e Evidence) IsZero() bool { return e.GTID.IsZero() || e.Original.IsZero() && e.Digest == "" }

// Shows reports whether found, which another look at a log has given, is the same transaction. Nothing shows nothing.
func (e Evidence) Shows(found Evidence) bool {
	switch {
	case e.IsZero() || e.GTID != found.GTID:
		return false
	case !e.Original.IsZero():
		return e.Original.Equal(found.Original)
	}
	return e.Digest == found.Digest
}
