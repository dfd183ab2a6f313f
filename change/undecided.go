package change

import (
	"slices"
	"strings"
)

// Undecided are XA transactions between XA PREPARE, where the log has their rows, and XA COMMIT or XA ROLLBACK, any
// number of transactions later. The zero value is none.
type Undecided struct {
	Since Position `json:"since"` // Begin of the oldest in the source's log.
	Count int      `json:"count"`
	// GTIDs of the XA PREPAREs: a set of MySQL, whose members are never part of Checkpoint.GTIDs, or a list of MariaDB's,
	// "0-1-5,0-1-9", of which the checkpoint's position tells nothing.
	GTIDs string `json:"gtids,omitempty"`
	// Behind is the position by GTID just before the oldest, of MariaDB only: see ResumeGTIDs.
	Behind string `json:"behind,omitempty"`
	// Skipped are transactions behind Since that a person took for applied (binseal position skip --at), first to last:
	// when the log is read again from Since, they are passed over unread. Only without GTIDs.
	Skipped []Span `json:"skipped,omitempty"`
}

// Span is a transaction in the source's log: from the begin of its first event to the end of its last, in one file.
type Span struct {
	From Position `json:"from"`
	To   Position `json:"to"`
}

// Holds reports that an event that begins at pos is part of it.
func (s Span) Holds(pos Position) bool { return pos.Compare(s.From) >= 0 && pos.Compare(s.To) < 0 }

// Members lists the GTIDs one by one; they are as many as Count at most.
func (u Undecided) Members() ([]GTID, error) {
	if isMariaDBPosition(u.GTIDs) {
		var all []GTID
		for text := range strings.SplitSeq(u.GTIDs, ",") {
			var g GTID
			if err := g.UnmarshalText([]byte(text)); err != nil {
				return nil, err
			}
			all = append(all, g)
		}
		return all, nil
	}
	set, err := ParseGTIDSet(u.GTIDs)
	return set.members(), err
}

// ListGTIDs is the text that Members reads. GTIDs of both products never meet.
func ListGTIDs(all []GTID) string {
	var set GTIDSet
	var list []string
	for _, g := range all {
		if g.IsMariaDB() {
			list = append(list, g.String())
		} else {
			set.Add(g)
		}
	}
	if len(list) > 0 {
		return strings.Join(list, ",")
	}
	return set.String()
}

// Without takes one XA PREPARE out that is taken for applied; the oldest place to read from may then be older than it
// need be.
func (u Undecided) Without(gone GTID) (Undecided, error) {
	all, err := u.Members()
	i := slices.Index(all, gone)
	if err != nil || i < 0 {
		return u, err
	}
	if len(all) == 1 {
		return Undecided{}, nil
	}
	u.GTIDs, u.Count = ListGTIDs(slices.Delete(all, i, i+1)), len(all)-1
	return u, nil
}

// Resume is the place from which the log must be read when the stream goes on by position: undecided XA transactions
// have to be read again, and whatever else lies before Pos is on the target.
func (c Checkpoint) Resume() Position {
	if c.Undecided.Count > 0 {
		return c.Undecided.Since
	}
	return c.Pos
}

// ResumeGTIDs is the set behind which the log must be read when the stream goes on by GTID. Of MySQL that is the
// checkpoint's, in which undecided XA transactions are missing. A position of MariaDB cannot leave one out: it stands
// for all numbers of a domain up to its own. So the log is read again from before the oldest, and whatever else the
// checkpoint's position has is on the target.
func (c Checkpoint) ResumeGTIDs() string {
	if c.Undecided.Count > 0 && isMariaDBPosition(c.GTIDs) {
		return c.Undecided.Behind
	}
	return c.GTIDs
}
