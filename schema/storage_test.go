package schema

import (
	"strings"
	"testing"

	"github.com/binseal/binseal/internal/testmysql"
)

func TestFileName(t *testing.T) {
	for name, want := range map[Name]string{
		{"shop", "t_1"}:      "shop/t_1",
		{"a b", "p-#p#P0/`"}: "a@0020b/p@002d@0023p@0023P0@002f@0060",
		{"shop", "日"}:        "",
		{"shöp", "orders"}:   "",
		{"shop", "a$\x7f@"}:  "shop/a@0024@007f@0040",
	} {
		if got, ok := fileName(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, want)
		}
	}
}

// What the witness of EXCHANGE PARTITION rests on, statement by statement.
func testStorageIDs(t *testing.T, s *testmysql.Server) {
	q := metadata(t, s)
	tables := []Name{{"other", "ex p"}, {"other", "ex-x"}}
	ids := func() string {
		t.Helper()
		got, seen, err := StorageIDs(t.Context(), q, tables)
		if err != nil || !seen {
			t.Fatalf("seen %v, error %v", seen, err)
		}
		return got
	}
	s.Exec(t, "CREATE TABLE other.`ex p` (id INT PRIMARY KEY, a INT, b INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION P1 VALUES LESS THAN (20))",
		"CREATE TABLE other.`ex-x` (id INT PRIMARY KEY, a INT, b INT)", "CREATE TABLE other.`EX P` (id INT)")
	first := ids()
	for _, step := range []struct {
		sql   string
		moves bool
	}{
		{"INSERT INTO other.`ex p` VALUES (1,1,1),(11,1,1)", false},
		{"ALTER TABLE other.`ex p` EXCHANGE PARTITION p0 WITH TABLE other.`ex-x`", true},
		{"ANALYZE TABLE other.`ex p`", false},
		{"CREATE TABLE other.`ex p2` (id INT) PARTITION BY HASH (id) PARTITIONS 3", false},
		{"DROP TABLE other.`EX P`", false},
		{"ALTER TABLE other.`ex-x` CHANGE a b INT, CHANGE b a INT AFTER id", true},
		{"ALTER TABLE other.`ex-x` DROP a, RENAME COLUMN b TO a, ADD b INT, ALGORITHM=INSTANT", true},
	} {
		before := ids()
		s.Exec(t, step.sql)
		if moved := before != ids(); moved != step.moves {
			t.Errorf("%s: moved %v, want %v", step.sql, moved, step.moves)
		}
	}
	s.Exec(t, "DROP TABLE other.`ex p`, other.`ex-x`", "CREATE TABLE other.`ex p` (id INT PRIMARY KEY) PARTITION BY HASH (id)", "CREATE TABLE other.`ex-x` (id INT PRIMARY KEY)")
	again := ids()
	s.Exec(t, "ALTER TABLE other.`ex p` EXCHANGE PARTITION p0 WITH TABLE other.`ex-x`")
	swapped := ids()
	s.Exec(t, "ALTER TABLE other.`ex p` EXCHANGE PARTITION p0 WITH TABLE other.`ex-x` WITHOUT VALIDATION")
	if again == first || swapped == again || ids() != again {
		t.Error("EXCHANGE PARTITION does not swap the ids")
	}
	applier, err := s.Open("applier", "pw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = applier.Close() })
	if _, seen, err := StorageIDs(t.Context(), applier, tables); seen || err != nil && !strings.Contains(err.Error(), "1227") {
		t.Errorf("without PROCESS: seen %v, error %v", seen, err)
	}
	s.Exec(t, "DROP TABLE other.`ex p`, other.`ex-x`, other.`ex p2`")
}
