package schema

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// TestServer holds the package against a real server, where each fact of it comes from.
func TestServer(t *testing.T) {
	s := testmysql.StartT(t, testmysql.SourceOptions())
	for _, schema := range []string{"app", "App", "other"} {
		s.Exec(t, "CREATE DATABASE "+schema)
	}
	if err := s.CreateApplierUser(t.Context(), "applier", "pw", "app", "other"); err != nil {
		t.Fatal(err)
	}
	t.Run("catalog", func(t *testing.T) { testCatalog(t, s) })
	t.Run("catalog of partitioned tables", func(t *testing.T) { testCatalogPartitions(t, s) })
	t.Run("catalog of families", func(t *testing.T) { testCatalogFamilies(t, s) })
	t.Run("catalog with a hidden primary key", func(t *testing.T) { testCatalogGIPK(t, s) })
	t.Run("fingerprint", func(t *testing.T) { testFingerprint(t, s) })
	t.Run("storage ids", func(t *testing.T) { testStorageIDs(t, s) })
	t.Run("generated columns", func(t *testing.T) { testGenerated(t, s) })
	t.Run("session", func(t *testing.T) { testSession(t, s) })
	t.Run("binlog texts", func(t *testing.T) { testBinlogTexts(t, s) })
	t.Run("weights", func(t *testing.T) { testWeights(t, s) })
}

// metadata is one session as Catalog and Fingerprint want it.
func metadata(t *testing.T, s *testmysql.Server) *sql.Conn {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.ExecContext(t.Context(), "SET time_zone='+00:00', sql_mode='', sql_quote_show_create=1"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A table BY KEY() is partitioned, though CREATE_OPTIONS does not say so.
func testCatalogPartitions(t *testing.T, s *testmysql.Server) {
	c := NewCatalog(metadata(t, s))
	for name, by := range map[string]string{"whole": "", "by_hash": " PARTITION BY HASH(id) PARTITIONS 4", "by_key": " PARTITION BY KEY() PARTITIONS 4", "by_key_of": " PARTITION BY KEY(id) PARTITIONS 1",
		"by_range": " PARTITION BY RANGE(id) (PARTITION p VALUES LESS THAN (10))"} {
		s.Exec(t, "CREATE TABLE other."+name+" (id INT PRIMARY KEY)"+by)
		got, err := c.Table(t.Context(), "other", name)
		if err != nil {
			t.Fatal(err)
		}
		if got.Partitioned != (by != "") || len(got.Columns) != 1 {
			t.Errorf("%s: partitioned %v, %d columns", name, got.Partitioned, len(got.Columns))
		}
	}
}

func testCatalog(t *testing.T, s *testmysql.Server) {
	s.Exec(t, `CREATE TABLE app.kinds (
  id BIGINT UNSIGNED NOT NULL, e ENUM('x unsigned','b') NOT NULL, d DECIMAL(10,3) UNSIGNED, f FLOAT, b BIT(10),
  bin BINARY(4), vb VARBINARY(9), j JSON, ts TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  tm TIME(6), l CHAR(3) CHARACTER SET latin1, t TEXT, inv INT INVISIBLE,
  virt VARCHAR(10) AS (CONCAT(l,'x')) VIRTUAL, stor INT AS (id+1) STORED INVISIBLE,
  PRIMARY KEY (e, id), UNIQUE u_text (t(7)), UNIQUE u_virt (virt), KEY not_unique (f), UNIQUE u_expr ((d+1), tm),
  UNIQUE u_multi ((CAST(j->'$.a' AS UNSIGNED ARRAY)))) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
		"CREATE TABLE App.kinds (a INT PRIMARY KEY)", "CREATE TABLE app.KINDS (a INT, UNIQUE (a))",
		"CREATE TABLE app.mine (a INT NOT NULL UNIQUE) ENGINE=MyISAM",
		"CREATE TABLE app.hidden (x INT NOT NULL, y INT NOT NULL, UNIQUE z (x), UNIQUE a (y) INVISIBLE)",
		"CREATE TABLE app.gbk (a VARCHAR(9) CHARACTER SET gbk PRIMARY KEY)",
		"CREATE VIEW app.v AS SELECT 1", "CREATE TRIGGER app.tr BEFORE INSERT ON app.mine FOR EACH ROW SET NEW.a=1")
	c := NewCatalog(metadata(t, s))
	got, err := c.Table(t.Context(), "app", "kinds")
	if err != nil {
		t.Fatal(err)
	}
	want := &Table{
		Schema: "app", Name: "kinds", Engine: "InnoDB", Class: Ordered,
		OrderedWhy: "unique key `u_expr`: a part is not in the row images: an expression, or a column that only the target has",
		Columns: []Column{
			{Name: "id", DataType: "bigint", ColumnType: "bigint unsigned", Unsigned: true, Default: ImplicitDefault, Precision: 20},
			{Name: "e", DataType: "enum", ColumnType: "enum('x unsigned','b')", Default: ImplicitDefault, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", CollationID: 255, MaxBytes: 40},
			{Name: "d", DataType: "decimal", ColumnType: "decimal(10,3) unsigned", Unsigned: true, Nullable: true, Precision: 10, Scale: 3},
			{Name: "f", DataType: "float", ColumnType: "float", Nullable: true, Precision: 12},
			{Name: "b", DataType: "bit", ColumnType: "bit(10)", Nullable: true, Precision: 10},
			{Name: "bin", DataType: "binary", ColumnType: "binary(4)", Nullable: true, MaxBytes: 4},
			{Name: "vb", DataType: "varbinary", ColumnType: "varbinary(9)", Nullable: true, MaxBytes: 9},
			{Name: "j", DataType: "json", ColumnType: "json", Nullable: true},
			{Name: "ts", DataType: "timestamp", ColumnType: "timestamp(3)", Nullable: true, OnUpdateNow: true, Default: ComputedDefault, FSP: 3},
			{Name: "tm", DataType: "time", ColumnType: "time(6)", Nullable: true, FSP: 6},
			{Name: "l", DataType: "char", ColumnType: "char(3)", Nullable: true, Charset: "latin1", Collation: "latin1_swedish_ci", CollationID: 8, MaxBytes: 3},
			{Name: "t", DataType: "text", ColumnType: "text", Nullable: true, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", CollationID: 255, MaxBytes: 65535},
			{Name: "inv", DataType: "int", ColumnType: "int", Nullable: true, Invisible: true, Precision: 10},
			{Name: "virt", DataType: "varchar", ColumnType: "varchar(10)", Nullable: true, Generated: VirtualColumn, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", CollationID: 255, MaxBytes: 40, SessionBound: true, Reads: []string{"l"}},
			{Name: "stor", DataType: "int", ColumnType: "int", Nullable: true, Generated: StoredColumn, Invisible: true, Precision: 10, Reads: []string{"id"}},
		},
		Identity: &Key{Name: "PRIMARY", Parts: []KeyPart{{1, 0}, {0, 0}}, Weighed: true, NotNull: true},
		Secondary: []*Key{
			{Name: "u_expr", Parts: []KeyPart{{-1, 0}, {9, 0}}},
			{Name: "u_multi", Parts: []KeyPart{{-1, 0}}},
			{Name: "u_text", Parts: []KeyPart{{11, 7}}, Weighed: true},
			{Name: "u_virt", Parts: []KeyPart{{13, 0}}, Weighed: true},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for sentence, test := range map[string]struct{ schema, table, identity, why, engine string }{
		"a schema that differs in case only": {"App", "kinds", "PRIMARY", "", "InnoDB"},
		"a table that differs in case only":  {"app", "KINDS", "", "no primary key, and no unique key of whole NOT NULL columns", "InnoDB"},
		"another engine is told":             {"app", "mine", "a", "", "MyISAM"},
		"an index that is not to be used":    {"app", "hidden", "z", "", "InnoDB"},
		"a collation without weights": {"app", "gbk", "PRIMARY",
			"unique key `PRIMARY`: column `a` has collation gbk_chinese_ci, whose comparison is not known here", "InnoDB"},
	} {
		table, err := c.Table(t.Context(), test.schema, test.table)
		if err != nil {
			t.Fatalf("%s: %v", sentence, err)
		}
		identity := ""
		if table.Identity != nil {
			identity = table.Identity.Name
		}
		if identity != test.identity || table.OrderedWhy != test.why || table.Engine != test.engine || table.Schema != test.schema {
			t.Errorf("%s: identity %q, why %q, engine %s, schema %s", sentence, identity, table.OrderedWhy, table.Engine, table.Schema)
		}
	}
	testCatalogCache(t, s, c)
}

func testCatalogCache(t *testing.T, s *testmysql.Server, c *Catalog) {
	t.Helper()
	mine, err := c.Table(t.Context(), "app", "mine")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tr"}, mine.Triggers); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"none", "v"} {
		if _, err := c.Table(t.Context(), "app", name); change.FaultOf(err) == nil || change.FaultOf(err).Code != "BS-TABLE-MISSING" || !change.Halts(err) {
			t.Errorf("table %s: %v", name, err)
		}
	}
	s.Exec(t, "ALTER TABLE app.mine ADD b INT")
	if again, _ := c.Table(t.Context(), "app", "mine"); again != mine {
		t.Error("a definition is kept until Forget")
	}
	c.Forget()
	if again, err := c.Table(t.Context(), "app", "mine"); err != nil || len(again.Columns) != 2 {
		t.Errorf("after Forget: %v, %v", again, err)
	}
}

func testCatalogFamilies(t *testing.T, s *testmysql.Server) {
	s.Exec(t, "CREATE TABLE app.parent (id INT PRIMARY KEY)",
		"CREATE TABLE app.child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES app.parent(id) ON UPDATE CASCADE)",
		"CREATE TABLE other.grandchild (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES app.child(id))",
		"CREATE TABLE app.single (id INT PRIMARY KEY)",
		"CREATE TABLE app.strict_child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES app.single(id))")
	// The applier's account must see foreign keys as well as root does.
	db, err := s.Open("applier", "pw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := NewCatalog(db)
	for name, want := range map[Name]bool{
		{"app", "parent"}: true, {"app", "child"}: true, {"other", "grandchild"}: true,
		{"app", "single"}: false, {"app", "strict_child"}: false,
	} {
		table, err := c.Table(t.Context(), name.Schema, name.Table)
		if err != nil {
			t.Fatal(err)
		}
		if table.Cascading != want || table.Class != Merged {
			t.Errorf("%s: cascading %v, class %v", name, table.Cascading, table.Class)
		}
	}
	s.Exec(t, "ALTER TABLE app.strict_child ADD x INT, ADD FOREIGN KEY (x) REFERENCES app.parent(id) ON DELETE SET NULL")
	c.Forget()
	if table, err := c.Table(t.Context(), "app", "single"); err != nil || !table.Cascading {
		t.Errorf("a new key joins the families: %v, %v", table, err)
	}
}

func testCatalogGIPK(t *testing.T, s *testmysql.Server) {
	conn := metadata(t, s)
	for _, statement := range []string{"SET sql_generate_invisible_primary_key=ON", "CREATE TABLE app.gipk (a INT)"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	table, err := NewCatalog(conn).Table(t.Context(), "app", "gipk")
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Columns) != 2 || table.Columns[0].Name != "my_row_id" || !table.Columns[0].Invisible || table.Identity == nil {
		t.Errorf("got %+v", table)
	}
	if _, err := conn.ExecContext(t.Context(), "SET show_gipk_in_create_table_and_information_schema=OFF"); err != nil {
		t.Fatal(err)
	}
	_, err = NewCatalog(conn).Table(t.Context(), "app", "gipk")
	if f := change.FaultOf(err); f == nil || f.Code != "BS-TARGET-SETTING" {
		t.Errorf("a session that hides the key: %v", err)
	}
}

func testFingerprint(t *testing.T, s *testmysql.Server) {
	conn := metadata(t, s)
	tables, databases := []Name{{"app", "fp"}, {"app", "fp2"}}, []string{"fpdb"}
	take := func() string {
		t.Helper()
		got, err := Fingerprint(t.Context(), conn, tables, databases)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	last := take()
	if len(last) != 64 || last != take() {
		t.Fatalf("not a stable SHA-256: %s", last)
	}
	for _, step := range []struct {
		sql     string
		changes bool
	}{
		{"CREATE TABLE app.fp (id INT AUTO_INCREMENT PRIMARY KEY, a INT)", true},
		{"DO SLEEP(1.1)", false}, // Creation times have seconds.
		{"INSERT INTO app.fp (a) VALUES (1),(2)", false},
		{"ANALYZE TABLE app.fp", false},
		{"ALTER TABLE app.fp ADD b INT, ALGORITHM=INSTANT", true},
		{"DO SLEEP(1.1)", false},
		{"ALTER TABLE app.fp AUTO_INCREMENT=1000", true}, // The counter is left out, but CREATE_TIME moves.
		{"ALTER TABLE app.fp COMMENT='x'", true},
		{"CREATE INDEX i ON app.fp (a)", true},
		{"RENAME TABLE app.fp TO app.fp2", true},
		{"CREATE DATABASE fpdb", true},
		{"ALTER DATABASE fpdb CHARSET latin1", true},
		{"CREATE TABLE fpdb.t (a INT)", false},
		{"DROP TABLE app.fp2", true},
		{"DROP DATABASE fpdb", true},
	} {
		s.Exec(t, step.sql)
		next := take()
		if (next != last) != step.changes {
			t.Errorf("%s: changes the fingerprint: %v", step.sql, next != last)
		}
		last = next
	}
	for _, setting := range []string{"time_zone='+05:00'", "sql_mode='ANSI_QUOTES'", "sql_quote_show_create=0"} {
		other := metadata(t, s)
		if _, err := other.ExecContext(t.Context(), "SET "+setting); err != nil {
			t.Fatal(err)
		}
		if _, err := Fingerprint(t.Context(), other, tables, nil); err == nil {
			t.Errorf("a session with %s gives a fingerprint", setting)
		}
	}
}

// testSession: an account like Aurora's may run every statement, and the server calls the bits of sql_mode as we do.
func testSession(t *testing.T, s *testmysql.Server) {
	db, err := s.Open("applier", "pw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	yes := true
	run := func(c change.SessionContext) {
		t.Helper()
		statements, err := SessionStatements(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
	}
	run(change.SessionContext{NoForeignKeyChecks: true, RelaxedUnique: true, AutoIsNull: true, CharsetClient: 8,
		CollationConnection: 47, CollationServer: 45, DefaultCollationUTF8MB4: 45, TimeZone: "+02:30", AutoIncrementIncrement: 2,
		AutoIncrementOffset: 2, Timestamp: time.Unix(1700000000, 123456000), ExplicitDefaultsTS: &yes, LCTimeNames: 4})
	var got string
	err = conn.QueryRowContext(t.Context(), `SELECT CONCAT_WS(' ', @@foreign_key_checks, @@unique_checks, @@sql_auto_is_null,
@@character_set_client, @@collation_connection, @@collation_server, @@default_collation_for_utf8mb4, @@time_zone,
@@auto_increment_increment, @@auto_increment_offset, @@timestamp, @@explicit_defaults_for_timestamp, @@lc_time_names)`).Scan(&got)
	if err != nil {
		t.Fatal(err)
	}
	want := "0 0 1 latin1 latin1_bin utf8mb4_general_ci utf8mb4_general_ci +02:30 2 2 1700000000.123456 1 de_DE"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mode := func() (text string) {
		t.Helper()
		if err := conn.QueryRowContext(t.Context(), "SELECT @@sql_mode").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	for i, name := range sqlModes {
		if name == "" {
			continue
		}
		if _, err := conn.ExecContext(t.Context(), fmt.Sprintf("SET sql_mode=%d", uint64(1)<<i)); err != nil {
			t.Fatal(err)
		}
		want := mode()
		run(change.SessionContext{SQLMode: bits(1 << i)})
		if diff := cmp.Diff(want, mode()); diff != "" || want == "" {
			t.Errorf("bit %d of sql_mode: %s", i, diff)
		}
	}
}

// testBinlogTexts runs DDL and classifies what the server wrote to its binary log for it.
func testBinlogTexts(t *testing.T, s *testmysql.Server) {
	for _, step := range []struct {
		sql  string
		want string // Kinds or codes of the statements that it logs.
	}{
		{"CREATE TABLE app.b1 (id INT PRIMARY KEY, u VARCHAR(40) DEFAULT (UUID()), g GEOMETRY, v VECTOR(3))", "CREATE TABLE"},
		{"CREATE TABLE IF NOT EXISTS app.b1 (id INT)", "CREATE TABLE"},
		{"CREATE TABLE app.b2 LIKE app.b1", "CREATE TABLE"},
		{"CREATE TABLE app.b3 AS SELECT 1 AS x", "BEGIN CREATE TABLE"},
		{"CREATE TEMPORARY TABLE app.tmp (a INT); DROP TABLE app.tmp", ""},
		{"CREATE TEMPORARY TABLE app.tmp (a INT); DROP TABLE IF EXISTS app.tmp, app.b3", "DROP TABLE"},
		{"ALTER TABLE app.b1 ADD c INT /*!80023 INVISIBLE */, ALGORITHM=INSTANT", "ALTER TABLE"},
		{"ALTER TABLE app.b1 RENAME app.b9, ADD d JSON DEFAULT (JSON_ARRAY())", "ALTER TABLE"},
		{"RENAME TABLE app.b9 TO app.b1", "RENAME TABLE"},
		{"CREATE UNIQUE INDEX i ON app.b1 ((id+1))", "CREATE INDEX"},
		{"DROP INDEX i ON app.b1", "DROP INDEX"},
		{"TRUNCATE app.b1", "TRUNCATE TABLE"},
		{"SET sql_mode='ANSI_QUOTES'; CREATE TABLE app.\"q\"\"x\" (\"a`b\" INT)", "CREATE TABLE"},
		{"SET sql_mode='NO_BACKSLASH_ESCAPES'; CREATE TABLE app.w (a VARCHAR(9) DEFAULT '\\')", "CREATE TABLE"},
		{"ANALYZE TABLE app.b1", "maintenance"},
		{"OPTIMIZE TABLE app.b1", "maintenance"},
		{"ALTER TABLE app.b1 ENCRYPTION='N'", "ALTER TABLE"},
		{"CREATE USER u1 IDENTIFIED BY 'pw'", "accounts"},
		{"GRANT SELECT ON app.* TO u1", "accounts"},
		{"SET PASSWORD FOR u1='pw2'", "accounts"},
		{"DROP USER u1", "accounts"},
		{"FLUSH PRIVILEGES", "maintenance"},
		{"CREATE VIEW app.v1 AS SELECT 1", "CREATE VIEW"},
		{"CREATE TRIGGER app.t1 BEFORE INSERT ON app.b1 FOR EACH ROW SET NEW.id=1", "CREATE TRIGGER"},
		{"CREATE EVENT app.e1 ON SCHEDULE EVERY 1 DAY DO SELECT 1", "CREATE EVENT"},
		{"CREATE FUNCTION app.f1() RETURNS INT DETERMINISTIC RETURN 1", "CREATE ROUTINE"},
		{"DROP FUNCTION app.f1", "DROP ROUTINE"},
		{"ALTER VIEW app.v1 AS SELECT 2", "ALTER VIEW"},
		{"ALTER EVENT app.e1 RENAME TO app.e2", "ALTER EVENT"},
		{"CREATE SERVER s1 FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')", ""},
		{"CREATE TABLESPACE ts ADD DATAFILE 'ts.ibd'", "BS-DDL-UNSUPPORTED"},
		{"CREATE DATABASE b DEFAULT ENCRYPTION='N'", "CREATE DATABASE"},
		{"ALTER DATABASE b CHARSET latin1", "ALTER DATABASE"},
		{"DROP DATABASE b", "DROP DATABASE"},
		{"DROP TABLE app.b1, app.b2", "DROP TABLE"},
	} {
		file, from := logEnd(t, s)
		runOnOne(t, s, step.sql)
		var got []string
		for _, row := range s.QueryT(t, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %s", file, from)) {
			if row[2] != "Query" {
				continue
			}
			got = append(got, kindOf(t, row[5], strings.Contains(step.sql, "ANSI_QUOTES"), strings.Contains(step.sql, "NO_BACKSLASH")))
		}
		if diff := cmp.Diff(step.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", step.sql, diff)
		}
	}
}

// kindOf classifies one text; SHOW BINLOG EVENTS puts the default database before it.
func kindOf(t *testing.T, text string, ansi, noBackslash bool) string {
	t.Helper()
	database := ""
	if rest, ok := strings.CutPrefix(text, "use `"); ok {
		database, text, _ = strings.Cut(rest, "`; ")
	}
	if text == "BEGIN" {
		return text
	}
	var mode uint64
	if ansi {
		mode |= modeANSIQuotes
	}
	if noBackslash {
		mode |= modeNoBackslashEscapes
	}
	d, err := ParseDDL(&change.Statement{SQL: text, Database: database, Session: change.SessionContext{SQLMode: &mode}})
	if f := change.FaultOf(err); f != nil {
		return f.Code
	}
	return d.Kind.String()
}

func logEnd(t *testing.T, s *testmysql.Server) (file, pos string) {
	t.Helper()
	row := s.QueryT(t, "SHOW BINARY LOG STATUS")[0]
	return row[0], row[1]
}

// runOnOne runs statements on a session of their own.
func runOnOne(t *testing.T, s *testmysql.Server, statements string) {
	t.Helper()
	err := func() (err error) {
		conn, err := s.DB().Conn(t.Context())
		if err != nil {
			return err
		}
		// Not back to the pool: its sql_mode may have changed.
		defer func() {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}()
		for _, statement := range append([]string{"USE app"}, strings.Split(statements, "; ")...) {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// sampleText gives strings that are likely to be equal under some collation: letters in both cases and with
// accents, contractions of several languages, ignorables, spaces of all sorts.
func sampleText(count int) [][]byte {
	random := rand.New(rand.NewSource(7)) // The same text on each run.
	rare := []rune("éÉèöÖøåÅäÄæßẞıİŁñÑž·-\u00a0\x00\x01\u0301\u0308\u030a\u0327\u0338\u200d\u3099かがカガ々ゝー゛ｱ中国ᄀ가ก์เාක්🙂😀𐐀𐐨\ufffd\ufffe\uffffﷺĲĳ½ǆǄلاрРйЙ")
	common := []rune("aAbcCdDhHlLjJzsSngytT  ")
	texts := make([][]byte, count)
	for i := range texts {
		s := make([]rune, 1+random.Intn(6))
		for j := range s {
			s[j] = common[random.Intn(len(common))]
			if random.Intn(3) == 0 {
				s[j] = rare[random.Intn(len(rare))]
			}
		}
		texts[i] = []byte(string(s))
	}
	return texts
}

// testWeights: for each collation that Weigher offers, a unique index of the server keeps the first of each set of
// values with equal weights, and nothing else. (Each character of Unicode was compared once with WEIGHT_STRING(),
// under each of the collations: this is the sample that stays.)
func testWeights(t *testing.T, s *testmysql.Server) {
	all, err := LoadCollations(t.Context(), s.DB())
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string][][]byte{"utf8mb4": sampleText(2500)}
	samples["utf8mb3"] = slices.DeleteFunc(slices.Clone(samples["utf8mb4"]), func(s []byte) bool {
		return bytes.ContainsFunc(s, beyondBMP)
	})
	for i := range 0x10000 {
		text := []byte{byte(i >> 8), byte(i)}
		if i%29 == 0 {
			samples["latin1"] = append(samples["latin1"], text)
		}
		if i%11 == 0 && text[0]|text[1] < 0x80 {
			samples["ascii"] = append(samples["ascii"], text)
		}
	}
	for charset, texts := range samples {
		loadSample(t, s, charset, texts)
	}
	offered := 0
	for id, name := range all {
		charset, _, _ := strings.Cut(name, "_")
		weigher, ok := Weigher(id)
		if !ok || samples[charset] == nil {
			continue
		}
		offered++
		want := survivors(t, s, charset, name)
		seen := make(map[string]bool)
		var got []int
		for i, text := range samples[charset] {
			w, err := weigher(nil, text)
			if err != nil {
				t.Fatalf("%s: %x: %v", name, text, err)
			}
			if !seen[string(w)] {
				got = append(got, i)
			}
			seen[string(w)] = true
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d values differ for us, %d for the server: %s", name, len(got), len(want),
				cmp.Diff(want, got, cmpopts.EquateEmpty()))
		}
	}
	if offered < 110 {
		t.Errorf("only %d collations are offered", offered)
	}
}

// loadSample fills sample_<charset> on the server.
func loadSample(t *testing.T, s *testmysql.Server, charset string, texts [][]byte) {
	t.Helper()
	s.Exec(t, fmt.Sprintf("CREATE TABLE app.sample_%s (id INT PRIMARY KEY, s VARCHAR(16) CHARACTER SET %s)", charset, charset))
	id := 0
	for chunk := range slices.Chunk(texts, 3000) {
		var b strings.Builder
		for i, text := range chunk {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,_%s 0x%X)", id, charset, text)
			id++
		}
		s.Exec(t, fmt.Sprintf("INSERT INTO app.sample_%s VALUES %s", charset, b.String()))
	}
}

// survivors are the rows of a sample that a unique index under the collation lets in, in order.
func survivors(t *testing.T, s *testmysql.Server, charset, collation string) []int {
	t.Helper()
	s.Exec(t, "DROP TABLE IF EXISTS app.uniq",
		fmt.Sprintf("CREATE TABLE app.uniq (id INT PRIMARY KEY, s VARCHAR(16) COLLATE %s, UNIQUE (s))", collation),
		fmt.Sprintf("INSERT IGNORE INTO app.uniq SELECT id, s FROM app.sample_%s ORDER BY id", charset))
	var ids []int
	err := each(context.WithoutCancel(t.Context()), s.DB(), "SELECT id FROM app.uniq ORDER BY id", nil, func(rows *sql.Rows) error {
		var id int
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
