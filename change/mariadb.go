package change

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MariaDB numbers its transactions otherwise than MySQL: a GTID is domain-server-sequence, and a position is the last
// GTID of each domain, "0-1-100,1-1-7". A source writes the sequence numbers of a domain in ascending order (the reader
// refuses another order), so a position stands for all transactions up to it: a set that GTIDSet holds as the ends of
// its domains. Numbers that were never used count as members; nothing asks for them.
type domainEnd struct {
	server uint32
	seq    int64
}

// errPosition: a text that is neither a set of MySQL nor a position of MariaDB.
var errPosition = errors.New("GTID position: not a list of domain-server-sequence")

// IsMariaDB reports whether the GTID is one of MariaDB.
func (g GTID) IsMariaDB() bool { return g.Server != 0 }

// isMariaDBPosition tells the two text forms apart: in MySQL's, a colon stands between server and numbers.
func isMariaDBPosition(s string) bool { return s != "" && !strings.Contains(s, ":") }

// parsePosition reads "0-1-100,1-1-7".
func parsePosition(s string) (GTIDSet, error) {
	set := GTIDSet{domains: map[uint32]domainEnd{}}
	for part := range strings.SplitSeq(s, ",") {
		fields := strings.Split(strings.TrimSpace(part), "-")
		if len(fields) != 3 {
			return GTIDSet{}, errPosition
		}
		domain, err1 := strconv.ParseUint(fields[0], 10, 32)
		server, err2 := strconv.ParseUint(fields[1], 10, 32)
		seq, err3 := strconv.ParseUint(fields[2], 10, 63)
		if cmp.Or(err1, err2, err3) != nil || server == 0 || seq == 0 {
			return GTIDSet{}, errPosition
		}
		if _, twice := set.domains[uint32(domain)]; twice {
			return GTIDSet{}, fmt.Errorf("GTID position: domain %d is there twice", domain)
		}
		set.domains[uint32(domain)] = domainEnd{uint32(server), int64(seq)}
	}
	return set, nil
}

// positionString renders the domains in ascending order, as the server takes them in @slave_connect_state.
func (s GTIDSet) positionString() string {
	parts := make([]string, 0, len(s.domains))
	for _, domain := range slices.Sorted(maps.Keys(s.domains)) {
		end := s.domains[domain]
		parts = append(parts, fmt.Sprintf("%d-%d-%d", domain, end.server, end.seq))
	}
	return strings.Join(parts, ",")
}

// Domains lists the domains of a MariaDB position, in ascending order.
func (s GTIDSet) Domains() []uint32 { return slices.Sorted(maps.Keys(s.domains)) }

// Last is the last transaction of a domain in a position; zero when there is none.
func (s GTIDSet) Last(domain uint32) GTID {
	end, ok := s.domains[domain]
	if !ok {
		return GTID{}
	}
	return GTID{Domain: domain, Server: end.server, GNO: end.seq}
}

// EndingAt returns a position with another end of a domain, as an independent copy: at last, or without the domain when
// that is zero.
func (s GTIDSet) EndingAt(domain uint32, last GTID) GTIDSet {
	out := s.Clone()
	delete(out.domains, domain)
	out.Add(last)
	return out
}

// raise moves the end of a domain forward, never back.
func (s *GTIDSet) raise(domain uint32, to domainEnd) {
	if s.domains == nil {
		s.domains = map[uint32]domainEnd{}
	}
	if to.seq >= s.domains[domain].seq {
		s.domains[domain] = to
	}
}

// reaches reports whether the ends of s are nowhere before those of o. Two ends with one number and different servers
// are two histories.
func (s GTIDSet) reaches(o GTIDSet) bool {
	for domain, end := range o.domains {
		mine := s.domains[domain]
		if mine.seq < end.seq || mine.seq == end.seq && mine.server != end.server {
			return false
		}
	}
	return true
}

// distance is how many numbers of s lie behind the ends of o.
func (s GTIDSet) distance(o GTIDSet) int64 {
	var n int64
	for domain, end := range s.domains {
		if ahead := end.seq - o.domains[domain].seq; ahead > 0 {
			n = min(n, math.MaxInt64-ahead) + ahead
		}
	}
	return n
}
