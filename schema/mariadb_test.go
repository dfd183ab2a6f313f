package schema

import (
	"testing"

	"github.com/binseal/binseal/change"
)

func TestStatementsOfMariaDBForMySQL(t *testing.T) {
	const jsonThere = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	for name, c := range map[string]struct{ sql, want string }{
		"nothing of its own":                    {"CREATE TABLE t (a INT /* x */, `b` TEXT) -- y", "CREATE TABLE t (a INT /* x */, `b` TEXT) -- y"},
		"a comment for both":                    {"CREATE TABLE t (a INT) /*!40101 ENGINE=x */", "CREATE TABLE t (a INT)   ENGINE=x  "},
		"a comment without a version":           {"ALTER TABLE t /*! ADD a INT*/", "ALTER TABLE t   ADD a INT "},
		"a comment for MariaDB":                 {"CREATE TABLE t (a INT /*M!100301 COMPRESSED*/)", "CREATE TABLE t (a INT   COMPRESSED )"},
		"a comment for MariaDB in MySQL's form": {"CREATE TABLE t (a INT /*!100301 COMPRESSED*/)", "CREATE TABLE t (a INT   COMPRESSED )"},
		"a comment for a later MariaDB":         {"CREATE TABLE t (a INT /*M!110000 COMPRESSED*/)", "CREATE TABLE t (a INT  )"},
		"a comment for MySQL 8":                 {"CREATE TABLE t (a INT /*!80023 INVISIBLE /* so */ */)", "CREATE TABLE t (a INT  )"},
		"in a string":                           {"CREATE TABLE t (a INT COMMENT '/*!80000 x*/ \\'/*M! y*/', j JSON)", "CREATE TABLE t (a INT COMMENT '/*!80000 x*/ \\'/*M! y*/', j " + jsonThere + ")"},
		"JSON":                                  {"CREATE TABLE t (j json NOT NULL, `k` JSON)", "CREATE TABLE t (j " + jsonThere + " NOT NULL, `k` " + jsonThere + ")"},
		"JSON in an ALTER":                      {"ALTER TABLE t ADD COLUMN j JSON, MODIFY k JSON, CHANGE l m JSON AFTER j", "ALTER TABLE t ADD COLUMN j " + jsonThere + ", MODIFY k " + jsonThere + ", CHANGE l m " + jsonThere + " AFTER j"},
		"JSON as a name":                        {"CREATE TABLE json (json INT, KEY json (json), CHECK (json > 0))", "CREATE TABLE json (json INT, KEY json (json), CHECK (json > 0))"},
		"JSON as a name in an ALTER":            {"ALTER TABLE `json` ADD json INT, DROP COLUMN json, ADD KEY (json)", "ALTER TABLE `json` ADD json INT, DROP COLUMN json, ADD KEY (json)"},
		"not about a table":                     {"CREATE VIEW v AS SELECT a JSON FROM t", "CREATE VIEW v AS SELECT a JSON FROM t"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromMariaDB(&change.Statement{SQL: c.sql, Database: "d"}, 101118)
			if err != nil || got != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
		})
	}
	for _, sql := range []string{"CREATE TABLE t (a INT /*!100301 COMPRESSED)", "CREATE TABLE t (a INT /*!80023 x", "ALTER TABLE t /*!40000 /*!40000 a */ */", "/*!40000 'x"} {
		if got, err := FromMariaDB(&change.Statement{SQL: sql, Database: "d"}, 101118); err == nil {
			t.Errorf("%s becomes %s", sql, got)
		}
	}
}

func TestForeignKeysWrittenWithTheirColumnsAreRefused(t *testing.T) {
	for sql, refused := range map[string]bool{
		"CREATE TABLE t (a INT REFERENCES p (id))":                                             true,
		"CREATE TABLE t (a INT(11) REFERENCES p (id) ON DELETE CASCADE)":                       true,
		"CREATE TABLE t (a INT, b INT REFERENCES q (id), FOREIGN KEY (a) REFERENCES p (id))":   true,
		"ALTER TABLE t DROP FOREIGN KEY f, ADD COLUMN a INT REFERENCES p (id)":                 true,
		"CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES p (id))":                            false,
		"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES p (id), DROP FOREIGN KEY f": false,
		"CREATE TABLE t (`REFERENCES` INT)":                                                    false,
	} {
		for _, mariaDB := range []bool{true, false} {
			_, err := ParseDDL(&change.Statement{SQL: sql, Database: "d", MariaDB: mariaDB})
			if got := err != nil; got != (refused && mariaDB) {
				t.Errorf("%s, of MariaDB %v: %v", sql, mariaDB, err)
			}
		}
	}
	_, err := ParseDDL(&change.Statement{SQL: "CREATE SEQUENCE s", Database: "d", MariaDB: true})
	if f := change.FaultOf(err); f == nil || f.Code != "BS-DDL-UNSUPPORTED" {
		t.Errorf("CREATE SEQUENCE: %v", err)
	}
}

// FuzzFromMariaDB: whatever the text is, it is rewritten or refused.
func FuzzFromMariaDB(f *testing.F) {
	f.Add("CREATE TABLE t (a INT /*M!100301 COMPRESSED*/ /*!80000 x /* y */ */, j JSON)")
	f.Fuzz(func(_ *testing.T, sql string) { _, _ = FromMariaDB(&change.Statement{SQL: sql, Database: "d"}, 101118) })
}
