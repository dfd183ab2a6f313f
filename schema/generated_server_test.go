package schema

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/binseal/binseal/internal/testmysql"
)

// settingsOfSessions are what a session of the source may have set when it writes a row, one at a time.
var settingsOfSessions = []string{
	"sql_mode='PAD_CHAR_TO_FULL_LENGTH'", "sql_mode='NO_UNSIGNED_SUBTRACTION'", "sql_mode='ERROR_FOR_DIVISION_BY_ZERO'",
	"sql_mode='NO_ZERO_DATE,NO_ZERO_IN_DATE'", "sql_mode='ALLOW_INVALID_DATES'", "sql_mode='TIME_TRUNCATE_FRACTIONAL'", "sql_mode='STRICT_ALL_TABLES'",
	"sql_mode='REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,HIGH_NOT_PRECEDENCE,NO_BACKSLASH_ESCAPES,IGNORE_SPACE'",
	"div_precision_increment=9", "default_week_format=3", "lc_time_names='de_DE'", "block_encryption_mode='aes-256-ecb'", "group_concat_max_len=4",
	"NAMES latin1", "NAMES utf8mb4 COLLATE utf8mb4_bin", "default_collation_for_utf8mb4='utf8mb4_general_ci'", "sql_auto_is_null=1", "time_zone='+05:30'",
}

// expressionsOfColumns are of each kind: what follows from the row alone, and what does not.
var expressionsOfColumns = []string{
	"n+k", "n*k", "concat(v,'x')", "concat(n,'/')", "upper(v)", "left(v,3)", "length(v)", "sha2(v,256)", "isnull(v)", "json_unquote(json_extract(j,'$.a'))", "j->>'$.b'",
	"ifnull(v,'z')", "if(n>k,'a','b')", "case when v like 'a%' then 1 else 'no' end", "replace(v,'a','-')", "hex(n)", "reverse(v)", "substring_index(v,'-',1)", "v is null",
	"concat_ws(',',n,v)", "lower(concat(v,n))", "coalesce(v,n)", "not n > k", "v in ('a','abc-def')", "crc32(v)", "char_length(v)",
	"n/k", "n-k", "k-n", "n/0", "monthname(d)", "dayname(d)", "week(d)", "date_format(d,'%W %M')", "concat(c,'|')", "length(c)", "cast(v as date)", "cast(dt as datetime(0))",
	"aes_encrypt(v,'k')", "d + interval 1 day", "cast(v as signed)", "format(n,2)", "cast(n as char)", "time(dt)", "cast(n as decimal(10,4))/3", "date(v)",
}

// What a session's setting changes is bound to the session; the server is the oracle, over all of the above. A table is
// opened anew for each setting: the server takes some of them from the session that opens it.
func testGenerated(t *testing.T, s *testmysql.Server) {
	moved := map[string]bool{} // Settings that change a value.
	session := metadata(t, s)
	if _, err := session.ExecContext(t.Context(), "SET show_gipk_in_create_table_and_information_schema=ON"); err != nil {
		t.Fatal(err)
	}
	c := NewCatalog(session)
	for i, expression := range expressionsOfColumns {
		name := fmt.Sprintf("generated_%d", i)
		s.Exec(t, "USE app", "SET sql_quote_show_create=1", fmt.Sprintf("CREATE TABLE app.%s (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNSIGNED, k INT UNSIGNED, c CHAR(8), v VARCHAR(40), d DATE, dt DATETIME(6), j JSON, g VARBINARY(2000) AS (%s) STORED)", name, expression))
		def, err := c.Table(t.Context(), "app", name)
		if err != nil {
			t.Fatal(err)
		}
		bound := def.Columns[len(def.Columns)-1].SessionBound
		usual := storedUnder(t, s, name, "sql_mode=''")
		for _, setting := range settingsOfSessions {
			if storedUnder(t, s, name, setting) == usual {
				continue
			}
			moved[setting] = true
			if !bound {
				t.Errorf("%s follows %s and is taken for settled", expression, setting)
			}
		}
		if i < 10 && bound {
			t.Errorf("%s is taken for bound to the session", expression)
		}
	}
	for _, setting := range []string{settingsOfSessions[0], settingsOfSessions[1], "div_precision_increment=9", "lc_time_names='de_DE'", "block_encryption_mode='aes-256-ecb'"} {
		if !moved[setting] {
			t.Errorf("%s changes nothing: the test sees too little", setting)
		}
	}
}

// storedUnder writes rows under a setting and gives what is stored.
func storedUnder(t *testing.T, s *testmysql.Server, table, setting string) string {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer discardSession(conn)
	for _, q := range []string{
		"USE app", "SET time_zone='+00:00', sql_mode=''", "SET " + setting, "FLUSH LOCAL TABLES app." + table, "DELETE FROM app." + table,
		"INSERT IGNORE INTO app." + table + ` (n,k,c,v,d,dt,j) VALUES (7,3,'ab','abc-def','2023-01-01','2024-02-29 23:59:59.999999','{"a":1.50,"b":"x"}'),
			(3,7,'x','2024-02-31','2024-12-31','2024-02-28 10:00:00.5','{"a":"x"}'), (0,0,'','0000-00-00',NULL,NULL,NULL), (1,1,NULL,NULL,'2021-06-30','2021-06-30 00:00:00','[]')`,
	} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			return fmt.Sprintf("%.20s: an error", q)
		}
	}
	var all sql.NullString
	if err := conn.QueryRowContext(t.Context(), "SELECT /*+ SET_VAR(group_concat_max_len=100000) */ GROUP_CONCAT(COALESCE(HEX(g),'NULL') ORDER BY n DESC, k DESC, v SEPARATOR ',') FROM app."+table).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all.String
}

func discardSession(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
