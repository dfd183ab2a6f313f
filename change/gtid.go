package change

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/google/uuid"
)

// GTID names one transaction of the source: server uuid, optional tag (MySQL 8.3 and later), number from 1; on MariaDB
// domain, server and number instead. The zero GTID stands for a transaction without one (gtid_mode=OFF: an anonymous transaction).
type GTID struct {
	UUID uuid.UUID
	Tag  string // Lower case, at most 32 characters; empty for most transactions.
	GNO  int64
	// Of MariaDB only; Server is never 0 there.
	Domain, Server uint32
}

// IsZero reports whether the transaction has no GTID.
func (g GTID) IsZero() bool { return g.GNO == 0 }

// String renders uuid:gno, uuid:tag:gno or domain-server-gno, as the server does; "" for the zero GTID.
func (g GTID) String() string {
	switch {
	case g.IsZero():
		return ""
	case g.IsMariaDB():
		return fmt.Sprintf("%d-%d-%d", g.Domain, g.Server, g.GNO)
	case g.Tag == "":
		return fmt.Sprintf("%s:%d", g.UUID, g.GNO)
	default:
		return fmt.Sprintf("%s:%s:%d", g.UUID, g.Tag, g.GNO)
	}
}

// MarshalText gives String, for records.
func (g GTID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (g *GTID) UnmarshalText(text []byte) error {
	*g = GTID{}
	if len(text) == 0 {
		return nil
	}
	if set, err := parsePosition(string(text)); err == nil && len(set.domains) == 1 {
		for domain, end := range set.domains {
			*g = GTID{Domain: domain, Server: end.server, GNO: end.seq}
		}
		return nil
	}
	parts := strings.Split(string(text), ":")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("a GTID is uuid:number or uuid:tag:number")
	}
	id, err := uuid.Parse(parts[0])
	if err != nil {
		return errors.New("a GTID begins with a uuid")
	}
	gno, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	if err != nil || gno < 1 {
		return errors.New("a GTID ends with a number from 1")
	}
	*g = GTID{UUID: id, Tag: strings.Join(parts[1:len(parts)-1], ""), GNO: gno}
	return nil
}

// ParseGTID reads the name of one transaction, as the server or a halt prints it.
func ParseGTID(s string) (GTID, error) {
	if isMariaDBPosition(s) {
		var g GTID
		err := g.UnmarshalText([]byte(s))
		return g, err
	}
	set, err := ParseGTIDSet(s)
	if err != nil || set.Count() != 1 {
		return GTID{}, errors.New("not the GTID of one transaction")
	}
	return set.members()[0], nil
}

// GTIDSet is a set of GTIDs: of MySQL, or a position of MariaDB with all up to it. The zero value is the empty set. Methods that change it are not safe for
// concurrent use; hand a Clone to another goroutine.
type GTIDSet struct {
	set     mysql.MysqlGTIDSet
	domains map[uint32]domainEnd // MariaDB's, see domainEnd.
}

// ParseGTIDSet reads the server's text form, of MySQL or of MariaDB; line breaks are allowed, as in @@gtid_executed.
func ParseGTIDSet(s string) (GTIDSet, error) {
	s = strings.ReplaceAll(s, "\n", "")
	if isMariaDBPosition(strings.TrimSpace(s)) {
		return parsePosition(s)
	}
	parsed, err := mysql.ParseMysqlGTIDSet(strings.TrimSpace(s))
	if err != nil {
		return GTIDSet{}, fmt.Errorf("GTID set: %w", err)
	}
	set := GTIDSet{set: *parsed.(*mysql.MysqlGTIDSet)}
	for _, tags := range set.set {
		for _, intervals := range tags {
			if len(intervals) > 0 && intervals[0].Start < 1 { // Sorted.
				return GTIDSet{}, errors.New("GTID set: transactions are numbered from 1")
			}
		}
	}
	return set, nil
}

// String renders the set as the server does, sorted by uuid; "" when empty.
func (s GTIDSet) String() string {
	if s.IsEmpty() {
		return ""
	}
	if len(s.domains) > 0 {
		return s.positionString()
	}
	return s.set.String()
}

// IsEmpty reports whether the set has no members.
func (s GTIDSet) IsEmpty() bool { return len(s.set) == 0 && len(s.domains) == 0 }

// Encode gives the wire form that COM_BINLOG_DUMP_GTID takes, of a set of MySQL.
func (s GTIDSet) Encode() []byte { return s.native().Encode() }

// Native hands a set of MySQL to go-mysql, as a copy.
func (s GTIDSet) Native() mysql.GTIDSet { return s.native().Clone() }

func (s GTIDSet) native() *mysql.MysqlGTIDSet {
	set := s.set
	if set == nil {
		set = mysql.NewMysqlGTIDSet()
	}
	return &set
}

// Clone returns an independent copy.
func (s GTIDSet) Clone() GTIDSet {
	return GTIDSet{set: *s.native().Clone().(*mysql.MysqlGTIDSet), domains: maps.Clone(s.domains)}
}

// Add puts one GTID into the set; the zero GTID changes nothing.
func (s *GTIDSet) Add(g GTID) {
	if g.IsZero() {
		return
	}
	if g.IsMariaDB() {
		s.raise(g.Domain, domainEnd{g.Server, g.GNO})
		return
	}
	if s.set == nil {
		s.set = mysql.NewMysqlGTIDSet()
	}
	tag := mysql.NewTag(g.Tag)
	// Mostly it follows the last one: then the interval grows where it lies, which no other set shares (Clone is deep).
	if intervals := s.set[g.UUID][tag]; len(intervals) > 0 && intervals[len(intervals)-1].Stop == g.GNO {
		intervals[len(intervals)-1].Stop++
		return
	}
	s.set.AddGTIDWithTag(g.UUID, tag, g.GNO)
}

// Union puts all members of o into the set.
func (s *GTIDSet) Union(o GTIDSet) {
	for domain, end := range o.domains {
		s.raise(domain, end)
	}
	if s.set == nil {
		s.set = mysql.NewMysqlGTIDSet()
	}
	for id, tags := range o.set {
		if s.set[id] == nil {
			s.set[id] = make(map[mysql.Tag]mysql.IntervalSlice, len(tags))
		}
		for tag, intervals := range tags {
			merged := append(append(mysql.IntervalSlice{}, s.set[id][tag]...), intervals...)
			s.set[id][tag] = merged.Normalize()
		}
	}
}

// Without returns the set less one GTID, as an independent copy.
func (s GTIDSet) Without(g GTID) GTIDSet {
	out := s.Clone()
	if !s.Has(g) {
		return out
	}
	tag := mysql.NewTag(g.Tag)
	var kept mysql.IntervalSlice
	for _, in := range out.set[g.UUID][tag] {
		if g.GNO < in.Start || g.GNO >= in.Stop {
			kept = append(kept, in)
			continue
		}
		for _, part := range []mysql.Interval{{Start: in.Start, Stop: g.GNO}, {Start: g.GNO + 1, Stop: in.Stop}} {
			if part.Start < part.Stop {
				kept = append(kept, part)
			}
		}
	}
	switch {
	case len(kept) > 0:
		out.set[g.UUID][tag] = kept
	case len(out.set[g.UUID]) > 1:
		delete(out.set[g.UUID], tag)
	default:
		delete(out.set, g.UUID)
	}
	return out
}

// members lists a set of MySQL, which is small.
func (s GTIDSet) members() []GTID {
	var all []GTID
	for id, tags := range s.set {
		for tag, intervals := range tags {
			for _, in := range intervals {
				for n := in.Start; n < in.Stop; n++ {
					all = append(all, GTID{UUID: id, Tag: tag.String(), GNO: n})
				}
			}
		}
	}
	return all
}

// Contains reports whether every member of o is in s.
func (s GTIDSet) Contains(o GTIDSet) bool {
	if o.IsEmpty() {
		return true
	}
	return s.reaches(o) && (len(o.set) == 0 || s.native().Contain(o.native()))
}

// Has reports whether g is in the set.
func (s GTIDSet) Has(g GTID) bool {
	if g.IsMariaDB() {
		return s.domains[g.Domain].seq >= g.GNO
	}
	for _, in := range s.set[g.UUID][mysql.NewTag(g.Tag)] {
		if g.GNO >= in.Start && g.GNO < in.Stop {
			return true
		}
	}
	return false
}

// Count is the number of transactions in the set.
func (s GTIDSet) Count() int64 {
	n := s.distance(GTIDSet{})
	for _, tags := range s.set {
		for _, intervals := range tags {
			for _, in := range intervals {
				n += in.Stop - in.Start
			}
		}
	}
	return n
}

// CountMissing is |s − o|: how many transactions of s are not in o; of MariaDB at most that many, since numbers may be
// unused.
func (s GTIDSet) CountMissing(o GTIDSet) int64 {
	n := s.distance(o)
	for id, tags := range s.set {
		for tag, intervals := range tags {
			for _, in := range intervals {
				n += in.Stop - in.Start - overlap(in, o.set[id][tag])
			}
		}
	}
	return n
}

// overlap counts the members of in that are in the sorted, disjoint list others.
func overlap(in mysql.Interval, others mysql.IntervalSlice) int64 {
	var n int64
	for _, o := range others {
		if lo, hi := max(in.Start, o.Start), min(in.Stop, o.Stop); lo < hi {
			n += hi - lo
		}
	}
	return n
}
