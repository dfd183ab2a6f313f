package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/binseal/binseal/stream"
)

// imageSQL adds what partial images leave out: computed, literal and missing defaults, ON UPDATE, large columns, a
// second unique key that the source takes for the key, documents changed in parts, cascades that the source logs itself.
var imageSQL = []string{
	`CREATE TABLE shop.made (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(36) DEFAULT (UUID()), at TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
		n INT DEFAULT 3, must INT NOT NULL, body TEXT, raw_bytes BLOB, doc JSON, twice INT AS (n*2) STORED, u INT, UNIQUE KEY (u), KEY (n))`,
	"CREATE TABLE shop.two_keys (b INT NOT NULL, a INT NOT NULL, v TEXT, n INT DEFAULT 7, UNIQUE KEY z (b), UNIQUE KEY a (a))",
	"CREATE TABLE shop.in_parts (id INT PRIMARY KEY, j JSON, n INT, KEY (n))",
	"INSERT INTO shop.in_parts SELECT id, JSON_OBJECT('list', JSON_ARRAY('a', 1.50), 'x', id, 'pad', REPEAT('p', 200)), 0 FROM (SELECT 1 id UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) d",
	"CREATE TABLE shop.loose (a INT DEFAULT 1, b TEXT, c TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP)",
	"CREATE TABLE shop.parent (id INT PRIMARY KEY)",
	"CREATE TABLE shop.child (id INT PRIMARY KEY AUTO_INCREMENT, p INT NULL, note TEXT, FOREIGN KEY (p) REFERENCES shop.parent (id) ON DELETE SET NULL ON UPDATE CASCADE)",
}

// imageStatements draws a change of one of these tables.
func imageStatements(rnd *rand.Rand) []string {
	n, id := rnd.IntN(100), rnd.IntN(60)
	switch rnd.IntN(17) {
	case 0:
		return []string{"INSERT INTO shop.made () VALUES (),()"}
	case 1:
		return []string{fmt.Sprintf("INSERT INTO shop.made (n, body) VALUES (%d,'it''s'),(%d,NULL)", n, n)}
	case 2:
		return []string{fmt.Sprintf("UPDATE shop.made SET n=%d WHERE id<%d ORDER BY id LIMIT 5", n, id)}
	case 3:
		return []string{fmt.Sprintf("UPDATE shop.made SET body=REPEAT('x',%d), at=at WHERE id=%d", n, id)}
	case 4:
		return []string{fmt.Sprintf("UPDATE shop.made SET u=NULL WHERE u=%d", n%9), fmt.Sprintf("UPDATE shop.made SET u=%d, raw_bytes=x'00ff' WHERE id=%d", n%9, id)}
	case 5:
		return []string{fmt.Sprintf("REPLACE INTO shop.made (id, n, u) VALUES (%d,%d,%d)", 1+id, n, n%9)}
	case 6:
		return []string{fmt.Sprintf("INSERT INTO shop.made (id, must) VALUES (%d,1) ON DUPLICATE KEY UPDATE must=must+1, doc=JSON_OBJECT('n', %d)", 1+id, n)}
	case 7:
		return []string{fmt.Sprintf("DELETE FROM shop.made WHERE id=%d", id)}
	case 8:
		return []string{fmt.Sprintf("REPLACE INTO shop.two_keys (b, a) VALUES (%d,%d)", id, id), fmt.Sprintf("UPDATE shop.two_keys SET v='v%d' WHERE a=%d", n, id)}
	case 9:
		return []string{fmt.Sprintf("DELETE FROM shop.two_keys WHERE b=%d", id)}
	case 10:
		return []string{fmt.Sprintf("INSERT INTO shop.loose (a) VALUES (%d),(%d)", n, n), fmt.Sprintf("UPDATE shop.loose SET b='y' WHERE a=%d LIMIT 2", n)}
	case 11:
		return []string{fmt.Sprintf("DELETE FROM shop.loose WHERE a=%d LIMIT 1", n)}
	case 12:
		return []string{fmt.Sprintf("INSERT IGNORE INTO shop.parent VALUES (%d)", id), fmt.Sprintf("INSERT INTO shop.child (p) VALUES (%d),(%d)", id, id)}
	case 13: // Not idempotent: a second run would put it in or take it out twice.
		return []string{fmt.Sprintf("UPDATE shop.in_parts SET j=JSON_SET(j,'$.list[99]',%d) WHERE id<%d", n, 2+id%5)}
	case 14:
		return []string{fmt.Sprintf("UPDATE shop.in_parts SET j=JSON_REMOVE(j,'$.list[0]') WHERE id=%d AND JSON_LENGTH(j,'$.list')>9", 1+id%5),
			fmt.Sprintf("UPDATE shop.in_parts SET j=JSON_SET(j,'$.list[last]',%d.50,'$.x',%d), n=n+1 WHERE id=%d", n, n, 1+id%5)}
	case 15:
		return []string{fmt.Sprintf("UPDATE shop.in_parts SET id=id+100 WHERE id=%d", 1+id%5), fmt.Sprintf("UPDATE shop.in_parts SET id=id-100, j=JSON_SET(j,'$.moved',%d) WHERE id=%d", n, 101+id%5)}
	default:
		return []string{fmt.Sprintf("UPDATE shop.child SET note='n%d' WHERE p=%d", n, id), fmt.Sprintf("DELETE FROM shop.parent WHERE id=%d", id)}
	}
}

// mixedImages runs one transaction in a session that logs a drawn kind of row image; the kind may change within it.
func mixedImages(ctx context.Context, db *sql.DB, rnd *rand.Rand) (err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	image := func() string {
		return "SET SESSION sql_mode='', binlog_row_image=" + []string{"FULL", "MINIMAL", "NOBLOB"}[rnd.IntN(3)] +
			", binlog_row_value_options=" + []string{"''", "PARTIAL_JSON"}[rnd.IntN(2)]
	}
	work := []string{image(), "BEGIN"}
	for range 1 + rnd.IntN(4) {
		if rnd.IntN(3) == 0 {
			work = append(work, statements(rnd)...)
		} else {
			work = append(work, imageStatements(rnd)...)
		}
	}
	work = append(work, "COMMIT")
	for _, q := range work {
		if _, err = c.ExecContext(ctx, q); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
			break
		}
	}
	_, back := c.ExecContext(ctx, "SET SESSION sql_mode=DEFAULT, binlog_row_image=DEFAULT, binlog_row_value_options=DEFAULT")
	if err == nil {
		err = back
	}
	return err
}

// startImages starts clients whose sessions log partial images, beside the usual load's full ones.
func (r *Rig) startImages(t testing.TB, n int, pace Pace) *Load {
	t.Helper()
	return r.startClients(t, clients{n: n, draws: 1 << 34, pace: pace, work: mixedImages})
}

// largeImages changes more rows in one transaction than the reader holds, with partial images.
func (r *Rig) largeImages(t testing.TB) {
	t.Helper()
	c, err := r.Source.DB().Conn(t.Context())
	must(t, err)
	defer func() { _ = c.Close() }()
	for _, q := range []string{"SET SESSION binlog_row_image=MINIMAL",
		fmt.Sprintf("CREATE TABLE shop.bulk (id INT PRIMARY KEY AUTO_INCREMENT, n INT DEFAULT 5, filler VARBINARY(%d))", largeRow),
		"BEGIN", fmt.Sprintf(`INSERT INTO shop.bulk (filler) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT /*+ SET_VAR(cte_max_recursion_depth=20000) */ REPEAT('x', %d) FROM n`, largeRows, largeRow),
		fmt.Sprintf("UPDATE shop.bulk SET filler=REPEAT('y', %d) WHERE id%%2", largeRow), "UPDATE shop.bulk SET n=6 WHERE id%3=0", "DELETE FROM shop.bulk WHERE id%5=0",
		"COMMIT", "SET SESSION binlog_row_image=DEFAULT"} {
		_, err := c.ExecContext(t.Context(), q)
		must(t, err)
	}
}

// Sessions of the source log full, minimal and no-blob images of the same rows while the daemon is killed.
func TestRandomKillsWithPartialImages(t *testing.T) {
	for _, mode := range []string{"strict", "split"} {
		t.Run(mode, func(t *testing.T) {
			s := seed(t)
			r := begin(t, mode, s)
			r.Source.Exec(t, imageSQL...)
			partial := r.startImages(t, 3, Pace(6*time.Millisecond))
			load := r.StartLoad(t, 2, Pace(8*time.Millisecond), true)
			rnd := rand.New(rand.NewPCG(s, 2))
			for range 20 {
				d := r.Start(t, Normal)
				if d.Wait(time.Duration(20+rnd.IntN(500)) * time.Millisecond) {
					t.Fatalf("the daemon ended by itself\n%s", tail(d.Log()))
				}
				d.Kill()
			}
			partial.Stop()
			load.Stop()
			r.largeImages(t)
			d := r.Start(t, Normal)
			r.AwaitCaughtUp(t, d, 2*time.Minute)
			r.Equal(t)
			ordered := map[string]bool{}
			st, err := d.Status(t.Context())
			must(t, err)
			for _, table := range st.Ordered {
				ordered[table.Table] = true
			}
			t.Logf("%d transactions with partial images (%d failed on the source), ordered in the last run: %v", partial.Transactions.Load(), partial.Failures.Load(), ordered)
			d.Stop(t)
		})
	}
}

// An insert of nothing but literal defaults under MINIMAL has an image without a column, so the log does not show how
// many rows there were (9.7 fails a second one with 1534 and may keep the event). It must stop the stream, with nothing of its transaction applied.
func TestRowsWithoutColumnsHalt(t *testing.T) {
	r := begin(t, "auto", seed(t))
	r.Source.Exec(t, "CREATE TABLE shop.defaults (a INT DEFAULT 1, b INT DEFAULT 2)")
	d := r.Start(t, Normal)
	r.AwaitCaughtUp(t, d, 30*time.Second)
	c, err := r.Source.DB().Conn(t.Context())
	must(t, err)
	defer func() { _ = c.Close() }()
	for _, q := range []string{"SET SESSION binlog_row_image=MINIMAL", "BEGIN", "INSERT INTO shop.defaults (a) VALUES (5)", "INSERT INTO shop.defaults () VALUES ()", "COMMIT",
		"SET SESSION binlog_row_image=DEFAULT"} {
		_, err := c.ExecContext(t.Context(), q)
		must(t, err)
	}
	st := d.Await(t, 20*time.Second, "halted", func(st stream.Status) bool { return st.State == stream.StateHalted })
	if st.Problem == nil || st.Problem.Code != "BS-PARTIAL-IMAGE" || st.Problem.Next == "" {
		t.Fatalf("got %+v", st.Problem)
	}
	t.Log(st.Problem.Where, st.Problem.What)
	if n := r.Target.QueryT(t, "SELECT COUNT(*) FROM shop.defaults")[0][0]; n != "0" {
		t.Errorf("%s rows of the refused transaction are on the target", n)
	}
}
