package replicator

import (
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// TestPartsOfJSONComeAsWholeRows: rows of PARTIAL_UPDATE_ROWS events, plain and compressed, are whole where the log shows
// the documents, and the memory of the new documents is counted, so that a transaction of many is passed on in parts.
func TestPartsOfJSONComeAsWholeRows(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.j (id INT PRIMARY KEY, j JSON)", "INSERT INTO shop.j VALUES (1,JSON_OBJECT('a',1,'pad',REPEAT('p',1000000))),(2,JSON_OBJECT('a',1,'pad',REPEAT('p',1000000)))")
	for name, setting := range map[string]string{"plain": "binlog_transaction_compression=OFF", "compressed": "binlog_transaction_compression=ON"} {
		t.Run(name, func(t *testing.T) {
			from := here(t, s, true)
			s.Exec(t, "SET SESSION binlog_row_value_options=PARTIAL_JSON, "+setting+"; UPDATE shop.j SET j=JSON_SET(j,'$.a',JSON_EXTRACT(j,'$.a')+1); SET SESSION binlog_row_value_options='', binlog_transaction_compression=OFF")
			got, err := collect(t, s, reader(t, s, nil), from)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || len(got[0].Rows) != 2 {
				t.Fatalf("got %q", describeAll(got))
			}
			images := 0
			for _, r := range got[0].Rows {
				if r.Op != change.Update || !r.Full || len(r.After) < 1000000 {
					t.Errorf("%s, full %v, %d bytes", r.Op, r.Full, len(r.After))
				}
				images += r.Size()
			}
			if got[0].Bytes < images {
				t.Errorf("%d bytes are counted, the images have %d", got[0].Bytes, images)
			}
		})
	}
	t.Run("above the bound of a part", func(t *testing.T) {
		from := here(t, s, true)
		s.Exec(t, "SET SESSION binlog_row_value_options=PARTIAL_JSON; BEGIN"+strings.Repeat("; UPDATE shop.j SET j=JSON_SET(j,'$.a',JSON_EXTRACT(j,'$.a')+1)", 4)+"; COMMIT; SET SESSION binlog_row_value_options=''")
		got, err := collect(t, s, reader(t, s, func(c *Config) { c.MaxPartBytes = 6 << 20 }), from)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 { // Of eight rows of 2 MB each.
			t.Fatalf("got %q", describeAll(got))
		}
	})
	t.Run("a document above the bound on a row", func(t *testing.T) {
		from := here(t, s, true)
		s.Exec(t, "SET SESSION binlog_row_value_options=PARTIAL_JSON; UPDATE shop.j SET j=JSON_SET(j,'$.a',0); SET SESSION binlog_row_value_options=''")
		_, err := collect(t, s, reader(t, s, func(c *Config) { c.MaxRowBytes = 1900000 }), from)
		if f := change.FaultOf(err); f == nil || f.Code != codeTooLarge {
			t.Fatalf("got %v, want %s", err, codeTooLarge)
		}
	})
}
