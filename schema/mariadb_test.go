package schema

import (
	"strings"
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
		"PERSISTENT":                            {"CREATE TABLE t (a INT, persistent INT, c INT AS (a+1) PERSISTENT, d INT AS (a) persistent)", "CREATE TABLE t (a INT, persistent INT, c INT AS (a+1) STORED, d INT AS (a) STORED)"},
		"PERSISTENT in an ALTER":                {"ALTER ONLINE TABLE t ADD c INT AS (a) PERSISTENT, ADD persistent INT", "ALTER  TABLE t ADD c INT AS (a) STORED, ADD persistent INT"},
		"with settings of its own":              {"SET STATEMENT lock_wait_timeout=3, max_statement_time=(1) FOR CREATE TABLE t (j JSON)", " CREATE TABLE t (j " + jsonThere + ")"},
		"settings of a statement on rows":       {"SET STATEMENT sql_mode='' FOR INSERT INTO t VALUES (1)", " INSERT INTO t VALUES (1)"},
		"ways to go about it":                   {"ALTER TABLE t ADD lock INT, ALGORITHM = NOCOPY, LOCK NONE, ADD algorithm INT", "ALTER TABLE t ADD lock INT, ALGORITHM = DEFAULT, LOCK DEFAULT, ADD algorithm INT"},
		"ways for an index":                     {"CREATE INDEX i ON t (a) ALGORITHM=INPLACE LOCK=NONE", "CREATE INDEX i ON t (a) ALGORITHM=DEFAULT LOCK=DEFAULT"},
		"the way of a view":                     {"CREATE ALGORITHM=MERGE VIEW v AS SELECT 1", "CREATE ALGORITHM=MERGE VIEW v AS SELECT 1"},
		"a wait for the lock":                   {"ALTER TABLE a.t WAIT 5 ADD x INT", "ALTER TABLE a.t  ADD x INT"},
		"no wait for the lock":                  {"ALTER TABLE `t` NOWAIT ADD x INT", "ALTER TABLE `t`  ADD x INT"},
		"waits of a RENAME":                     {"RENAME TABLE a WAIT 3 TO b, c.d NOWAIT TO e", "RENAME TABLE a  TO b, c.d  TO e"},
		"a wait at the end":                     {"TRUNCATE TABLE t WAIT 3", "TRUNCATE TABLE t "},
		"no wait at the end":                    {"DROP INDEX i ON t NOWAIT", "DROP INDEX i ON t "},
		"no wait behind an index":               {"CREATE INDEX i ON t (a) NOWAIT", "CREATE INDEX i ON t (a) "},
		"tables and columns called so":          {"RENAME TABLE nowait TO wait", "RENAME TABLE nowait TO wait"},
		"columns called so":                     {"ALTER TABLE nowait ADD wait INT, DROP nowait, ADD COLUMN nowait INT, CHANGE wait nowait INT", "ALTER TABLE nowait ADD wait INT, DROP nowait, ADD COLUMN nowait INT, CHANGE wait nowait INT"},
		"a table called so, truncated":          {"TRUNCATE nowait", "TRUNCATE nowait"},
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
}

// What MariaDB has and MySQL does not is refused by name, or left to the target's server, which refuses it. What was seen: an
// ALTER TABLE IF EXISTS was read as one of a table called IF, and was left out where the default database is not included.
func TestStatementsOfMariaDBThatAreRefused(t *testing.T) {
	for sql, says := range map[string]string{
		"CREATE SEQUENCE s":                                   "CREATE SEQUENCE",
		"CREATE OR REPLACE SEQUENCE s":                        "CREATE SEQUENCE",
		"DROP SEQUENCE `s` /* generated by server */":         "DROP SEQUENCE",
		"CREATE OR REPLACE TABLE t (id INT)":                  "CREATE OR REPLACE TABLE",
		"CREATE OR REPLACE DATABASE d":                        "CREATE OR REPLACE DATABASE",
		"ALTER TABLE IF EXISTS a.t ADD b INT":                 "IF EXISTS",
		"RENAME TABLE IF EXISTS a TO b":                       "IF EXISTS",
		"CREATE INDEX IF NOT EXISTS i ON t (a)":               "IF NOT EXISTS",
		"DROP INDEX IF EXISTS i ON t":                         "IF EXISTS",
		"CREATE PACKAGE p AS END":                             "PACKAGE",
		"CREATE TABLE t (a INT) AS SELECT 1":                  "CREATE TABLE … SELECT",
		"CREATE TABLE t (a INT) WITH c AS (SELECT 1) TABLE c": "CREATE TABLE … SELECT",
	} {
		_, err := ParseDDL(&change.Statement{SQL: sql, Database: "d", MariaDB: true})
		if f := change.FaultOf(err); f == nil || f.Code != "BS-DDL-UNSUPPORTED" || !strings.Contains(f.What, says) || f.Next == "" {
			t.Errorf("%s: %v, want it refused as %s", sql, err, says)
		}
	}
	for sql, kind := range map[string]Kind{
		"CREATE TABLE t (id INT) WITH SYSTEM VERSIONING":                                                                     CreateTable,
		"CREATE TABLE t (id INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION p HISTORY, PARTITION c CURRENT)": CreateTable,
		"CREATE TABLE t (id INT) ENGINE=Aria TRANSACTIONAL=1":                                                                CreateTable,
		"ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT":                                                                       AlterTable,
		"CREATE OR REPLACE USER u IDENTIFIED BY 'x'":                                                                         Accounts,
		"CREATE OR REPLACE ROLE r":                                                                                           Accounts,
		"CREATE OR REPLACE VIEW v AS SELECT 1":                                                                               CreateView,
		"CREATE TABLE `if`.`if` (id INT)":                                                                                    CreateTable,
	} {
		d, err := ParseDDL(&change.Statement{SQL: sql, Database: "d", MariaDB: true})
		if err != nil || d.Kind != kind {
			t.Errorf("%s: %+v, %v, want %s", sql, d, err, kind)
		}
	}
}

// FuzzFromMariaDB: whatever the text is, it is rewritten or refused.
func FuzzFromMariaDB(f *testing.F) {
	f.Add("CREATE TABLE t (a INT /*M!100301 COMPRESSED*/ /*!80000 x /* y */ */, j JSON)")
	f.Fuzz(func(_ *testing.T, sql string) { _, _ = FromMariaDB(&change.Statement{SQL: sql, Database: "d"}, 101118) })
}
