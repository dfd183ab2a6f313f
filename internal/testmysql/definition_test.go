package testmysql

import (
	"testing"
)

// The words that two releases use for one thing are one; what differs in the thing still differs.
func TestCommonWords(t *testing.T) {
	for name, c := range map[string]struct{ what, old, newest string }{
		"a display width":                       {"column", "int(10) unsigned", "int unsigned"},
		"the width of BOOL stays":               {"column", "tinyint(1)", "tinyint(1)"},
		"the width of ZEROFILL stays":           {"column", "int(5) unsigned zerofill", "int(5) unsigned zerofill"},
		"the width of a string stays":           {"column", "varchar(11)", "varchar(11)"},
		"a YEAR":                                {"column", "year(4)", "year"},
		"a character set":                       {"column", "utf8", "utf8mb3"},
		"a collation":                           {"table", "utf8_general_ci", "utf8mb3_general_ci"},
		"utf8mb4 is no utf8":                    {"table", "utf8mb4_bin", "utf8mb4_bin"},
		"an expression as default":              {"column", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"},
		"the mark of an expression":             {"column", "on update CURRENT_TIMESTAMP", "DEFAULT_GENERATED on update CURRENT_TIMESTAMP"},
		"the rule of a foreign key without one": {"foreign key", "RESTRICT", "NO ACTION"},
		"quoted names in a partition":           {"partition", "`id`", "id"},
	} {
		if old, newest := commonWords(c.what, c.old), commonWords(c.what, c.newest); old != newest {
			t.Errorf("%s: %q and %q are not one", name, old, newest)
		}
	}
	if commonWords("column", "int(11)") == commonWords("column", "int(11) unsigned") {
		t.Error("a sign is lost")
	}
}

func TestCommonDefinitionShowsEachKindOfDifference(t *testing.T) {
	s := StartT(t, Options{Name: "definition"})
	s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.p (id INT PRIMARY KEY)")
	cases := map[string]string{
		"a type":            "MODIFY v VARCHAR(11) CHARACTER SET latin1 NOT NULL DEFAULT 'x' COMMENT 'c'",
		"a character set":   "MODIFY v VARCHAR(10) CHARACTER SET latin2 NOT NULL DEFAULT 'x' COMMENT 'c'",
		"a collation":       "MODIFY v VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x' COMMENT 'c'",
		"NULL":              "MODIFY v VARCHAR(10) CHARACTER SET latin1 DEFAULT 'x' COMMENT 'c'",
		"a default":         "MODIFY v VARCHAR(10) CHARACTER SET latin1 NOT NULL COMMENT 'c'",
		"a comment":         "MODIFY v VARCHAR(10) CHARACTER SET latin1 NOT NULL DEFAULT 'x'",
		"an order":          "MODIFY p INT AFTER id",
		"a column":          "ADD q INT",
		"a key":             "ADD KEY k2 (p)",
		"a prefix":          "DROP KEY k, ADD KEY k (v(4))",
		"uniqueness":        "DROP KEY k, ADD UNIQUE KEY k (v(5))",
		"a foreign key":     "ADD CONSTRAINT f1 FOREIGN KEY (p) REFERENCES d.p (id)",
		"partitions":        "PARTITION BY HASH (id) PARTITIONS 2",
		"a table's comment": "COMMENT 'c'",
		"a default charset": "DEFAULT CHARACTER SET latin1",
	}
	c := &comparison{}
	if err := c.open(t.Context(), s.DB(), s.DB()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	definition := func(table string) string {
		text, err := c.commonDefinition(t.Context(), 0, "`d`.`"+table+"`")
		if err != nil || text == "" {
			t.Fatalf("definition %q, error %v", text, err)
		}
		return text
	}
	s.Exec(t, "CREATE TABLE d.a (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET latin1 NOT NULL DEFAULT 'x' COMMENT 'c', p INT, KEY k (v(5)))")
	want := definition("a")
	for name, change := range cases {
		s.Exec(t, "DROP TABLE IF EXISTS d.b", "CREATE TABLE d.b LIKE d.a")
		if got := definition("b"); got != want {
			t.Fatalf("a copy differs:\n%s\n%s", want, got)
		}
		s.Exec(t, "ALTER TABLE d.b "+change)
		if definition("b") == want {
			t.Errorf("%s: no difference is seen", name)
		}
	}
	s.Exec(t, "DROP TABLE d.b", "CREATE TABLE d.b LIKE d.a") // The last case may have been any, partitions too.
	s.Exec(t, "ALTER TABLE d.b ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES d.p (id)")
	before := definition("b")
	s.Exec(t, "ALTER TABLE d.b DROP FOREIGN KEY f, ADD CONSTRAINT f2 FOREIGN KEY (p) REFERENCES d.p (id) ON DELETE CASCADE")
	if after := definition("b"); after == before {
		t.Error("a foreign key's rule: no difference is seen")
	}
}
