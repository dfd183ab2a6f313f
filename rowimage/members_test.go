package rowimage

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// A source that names its columns names the members of ENUM and SET too. A target whose members stand in another order
// would show other values for the same images.
func TestServerMembersAreHeldAgainstTheTarget(t *testing.T) {
	l := newLab(t, "FULL")
	const source = "CREATE TABLE src.t (id INT PRIMARY KEY, e ENUM('new','it''s','日','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16)"
	from := l.position(t)
	l.Exec(t, "SET NAMES utf8mb4", source, "INSERT INTO src.t VALUES (1,1,1,1)")
	m := l.changes(t, from)[0].Table
	want := [][]string{nil, {"new", "it's", "日", "😀", "a\\b\n\rc\x00\""}, {"a", "\xe9"}, {"\x00x", "\x00y"}}
	if diff := cmp.Diff(want, m.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		columns string
		fits    bool
	}{
		"as on the source":      {"e ENUM('new','it''s','日','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16", true},
		"further ones behind":   {"e ENUM('new','it''s','日','😀','a\\\\b\\n\\rc\\0\"','later') CHARACTER SET utf8mb4, s SET('a','é','z') CHARACTER SET latin1, w ENUM('x','y','z') CHARACTER SET utf16", true},
		"in another order":      {"e ENUM('it''s','new','日','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16", false},
		"another word":          {"e ENUM('new','it''s','月','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16", false},
		"one in front of a SET": {"e ENUM('new','it''s','日','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('0','a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16", false},
		"fewer than the source": {"e ENUM('new','it''s','日') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('x','y') CHARACTER SET utf16", false},
		"in a wide set":         {"e ENUM('new','it''s','日','😀','a\\\\b\\n\\rc\\0\"') CHARACTER SET utf8mb4, s SET('a','é') CHARACTER SET latin1, w ENUM('y','x') CHARACTER SET utf16", true}, // Not compared.
	} {
		l.Exec(t, "DROP TABLE IF EXISTS dst.t", "CREATE TABLE dst.t (id INT PRIMARY KEY, "+c.columns+")")
		_, err := Bind(m, l.table(t, "dst", "t"))
		if f := change.FaultOf(err); c.fits != (err == nil) || !c.fits && f.Code != CodeMismatch {
			t.Errorf("%s: %v", name, err)
		}
	}
}
