package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/replicator"
)

// schemaSQL is the load's schema: each kind of table by which a lost or doubled change would show.
var schemaSQL = []string{
	"CREATE DATABASE IF NOT EXISTS shop",
	"CREATE TABLE shop.orders (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, n INT NOT NULL, note VARCHAR(60), price DECIMAL(10,2), at DATETIME(3), KEY (n))",
	"CREATE TABLE shop.seats (id INT PRIMARY KEY, seat INT NULL, holder VARCHAR(20), UNIQUE KEY (seat))",
	"CREATE TABLE shop.names (name VARCHAR(30) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, n INT)",
	"CREATE TABLE shop.parts (a INT, b SMALLINT, v VARBINARY(40), PRIMARY KEY (a, b))",
	"CREATE TABLE shop.events (kind TINYINT, word VARCHAR(10))", // Keyless, full of identical rows.
	"CREATE TABLE shop.docs (id INT PRIMARY KEY, doc JSON, body TEXT)",
	"CREATE TABLE shop.turn (id INT PRIMARY KEY, v INT)", // Changed by DDL.
	"CREATE TABLE shop.accounts (id INT PRIMARY KEY, balance INT NOT NULL)",
}

// words put the load's SQL into what each product has: the collation of 8.0 is in no other, and 5.6 has no JSON.
var words = map[testmysql.Kind]*strings.Replacer{
	testmysql.Newest:  strings.NewReplacer(),
	testmysql.MariaDB: strings.NewReplacer("utf8mb4_0900_ai_ci", "utf8mb4_unicode_ci"),
	testmysql.MySQL56: strings.NewReplacer("utf8mb4_0900_ai_ci", "utf8mb4_unicode_ci", "doc JSON", "doc TEXT", "JSON_SET(doc,'$.k[0]',", "CONCAT(doc,"),
}

const (
	seats    = 40
	accounts = 50
	opening  = 1000 // Balance of each account: the sum over all is constant.
)

// Prepare makes the schema on the source; the daemon carries it to the target.
func (r *Rig) Prepare(t testing.TB) {
	t.Helper()
	for _, q := range schemaSQL {
		r.Source.Exec(t, words[r.Source.Kind].Replace(q))
	}
	for i := range seats {
		r.Source.Exec(t, fmt.Sprintf("INSERT INTO shop.seats VALUES (%d, %d, 'nobody')", i, i))
	}
	var values []string
	for i := range accounts {
		values = append(values, fmt.Sprintf("(%d,%d)", i, opening))
	}
	r.Source.Exec(t, "INSERT INTO shop.accounts VALUES "+strings.Join(values, ","))
	for range 10 { // Thousands of identical rows: one applied twice or skipped shows in the multiset.
		r.Source.Exec(t, "INSERT INTO shop.events VALUES "+strings.TrimSuffix(strings.Repeat("(1,'same'),(2,'same'),", 100), ","))
	}
}

// Load runs clients against the source until it is stopped.
type Load struct {
	cancel       context.CancelFunc
	wg           sync.WaitGroup
	Transactions atomic.Int64
	Failures     atomic.Int64 // Of the source: while it is killed, or by its own deadlocks.
}

// Pace is the pause of a client between two transactions.
type Pace time.Duration

// clients are some of a load that do the same.
type clients struct {
	n     int
	draws uint64 // Where the seeded randomness of the first begins; each has its own.
	pace  Pace
	work  func(context.Context, *sql.DB, *rand.Rand) error
}

// startClients starts clients that run until the load is stopped, at the latest at the test's end.
func (r *Rig) startClients(t testing.TB, groups ...clients) *Load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &Load{cancel: cancel}
	t.Cleanup(l.Stop)
	for _, g := range groups {
		for i := range g.n {
			rnd := rand.New(rand.NewPCG(r.Seed, g.draws+uint64(i)))
			l.wg.Go(func() { l.client(ctx, r.Source.DB, rnd, g.pace, g.work) })
		}
	}
	return l
}

// StartLoad starts clients with seeded randomness. With ddl a further client changes definitions.
func (r *Rig) StartLoad(t testing.TB, n int, pace Pace, ddl bool) *Load {
	t.Helper()
	kind := r.Source.Kind
	groups := []clients{{n: n, pace: pace, work: func(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
		return transaction(ctx, db, rnd, words[kind])
	}}}
	if ddl {
		groups = append(groups, clients{n: 1, draws: 1 << 32, pace: Pace(400 * time.Millisecond), work: definition})
	}
	return r.startClients(t, groups...)
}

// StartKeyless starts clients that only insert identical rows into the keyless table.
func (r *Rig) StartKeyless(t testing.TB, n int, pace Pace) *Load {
	t.Helper()
	return r.startClients(t, clients{n: n, pace: pace, work: func(ctx context.Context, db *sql.DB, _ *rand.Rand) error {
		_, err := db.ExecContext(ctx, "INSERT INTO shop.events VALUES (1,'same')")
		return err
	}})
}

// Stop ends the clients and waits for them.
func (l *Load) Stop() {
	l.cancel()
	l.wg.Wait()
}

func (l *Load) client(ctx context.Context, db func() *sql.DB, rnd *rand.Rand, pace Pace, work func(context.Context, *sql.DB, *rand.Rand) error) {
	for ctx.Err() == nil {
		// A transaction is not cancelled half way: its outcome on the source would be unknown, but that is the
		// source's affair; it is either in the log or not.
		if err := work(context.WithoutCancel(ctx), db(), rnd); err != nil {
			l.Failures.Add(1)
		} else {
			l.Transactions.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(pace)):
		}
	}
}

// transaction runs one to four statements as one transaction.
func transaction(ctx context.Context, db *sql.DB, rnd *rand.Rand, words *strings.Replacer) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for range 1 + rnd.IntN(4) {
		for _, q := range statements(rnd) {
			if _, err := tx.ExecContext(ctx, words.Replace(q)); err != nil {
				_ = tx.Rollback()
				return err
			}
		}
	}
	return tx.Commit()
}

// statements draws what one step of a transaction does.
func statements(rnd *rand.Rand) []string {
	word := []string{"same", "other", "Same", "é"}[rnd.IntN(4)]
	switch rnd.IntN(12) {
	case 0, 1:
		return []string{fmt.Sprintf("INSERT INTO shop.orders (n,note,price,at) VALUES (%d,'%s',%d.25,NOW(3)),(%d,NULL,-1.5,NULL)", rnd.IntN(1000), word, rnd.IntN(99), rnd.IntN(1000))}
	case 2:
		return []string{fmt.Sprintf("UPDATE shop.orders SET n=n+1, note='%s' WHERE id BETWEEN %d AND %d", word, rnd.IntN(2000), rnd.IntN(2000)+3)}
	case 3:
		return []string{fmt.Sprintf("DELETE FROM shop.orders WHERE id=%d", rnd.IntN(3000))}
	case 4: // Two seats change hands: each gives up what the other takes.
		a, b := rnd.IntN(seats), rnd.IntN(seats)
		return []string{fmt.Sprintf("SELECT seat INTO @a FROM shop.seats WHERE id=%d", a), fmt.Sprintf("SELECT seat INTO @b FROM shop.seats WHERE id=%d", b),
			fmt.Sprintf("UPDATE shop.seats SET seat=NULL WHERE id IN (%d,%d)", a, b),
			fmt.Sprintf("UPDATE shop.seats SET seat=@b, holder='%s' WHERE id=%d", word, a), fmt.Sprintf("UPDATE shop.seats SET seat=IF(%d=%d,seat,@a) WHERE id=%d", a, b, b)}
	case 5: // Names that are one key under the collation.
		name := []string{"Émile", "emile", "EMILE", "zoë", "ZOE", "anna"}[rnd.IntN(6)] + fmt.Sprint(rnd.IntN(20))
		return []string{fmt.Sprintf("REPLACE INTO shop.names VALUES ('%s',%d)", name, rnd.IntN(100))}
	case 6:
		return []string{fmt.Sprintf("INSERT INTO shop.parts VALUES (%d,%d,UNHEX('00%02X5C27')) ON DUPLICATE KEY UPDATE v=VALUES(v), b=b", rnd.IntN(50), rnd.IntN(50), rnd.IntN(256))}
	case 7: // The key itself moves.
		return []string{fmt.Sprintf("UPDATE IGNORE shop.parts SET a=%d WHERE a=%d AND b=%d", rnd.IntN(50), rnd.IntN(50), rnd.IntN(50))}
	case 8:
		return []string{fmt.Sprintf("INSERT INTO shop.events VALUES (%d,'%s'),(1,'same')", rnd.IntN(3), word)}
	case 9:
		return []string{fmt.Sprintf("DELETE FROM shop.events WHERE kind=%d LIMIT %d", 1+rnd.IntN(2), 1+rnd.IntN(2))}
	case 10:
		return []string{fmt.Sprintf(`INSERT INTO shop.docs VALUES (%d,'{"k":[1,2.5,"%s"],"b":true}',REPEAT('%s',%d)) ON DUPLICATE KEY UPDATE doc=JSON_SET(doc,'$.k[0]',%d), body=NULL`, rnd.IntN(100), word, word, rnd.IntN(400), rnd.IntN(9))}
	default:
		from, to := rnd.IntN(accounts), rnd.IntN(accounts)
		return []string{fmt.Sprintf("UPDATE shop.accounts SET balance=balance-1 WHERE id=%d", from), fmt.Sprintf("UPDATE shop.accounts SET balance=balance+1 WHERE id=%d", to)}
	}
}

// definition changes a definition, in ways that a restart may find half done.
func definition(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
	n := rnd.IntN(4)
	for _, q := range [][]string{
		{fmt.Sprintf("ALTER TABLE shop.turn ADD COLUMN c%d INT DEFAULT 7", n), fmt.Sprintf("INSERT IGNORE INTO shop.turn (id,v,c%d) VALUES (%d,1,2)", n, rnd.IntN(1000)), fmt.Sprintf("ALTER TABLE shop.turn DROP COLUMN c%d", n)},
		{"CREATE TABLE shop.turn_new LIKE shop.turn", "INSERT INTO shop.turn_new SELECT * FROM shop.turn", "RENAME TABLE shop.turn TO shop.turn_old, shop.turn_new TO shop.turn", "DROP TABLE shop.turn_old"},
		{"INSERT IGNORE INTO shop.turn (id,v) VALUES (1,1),(2,2),(3,3)", "TRUNCATE TABLE shop.turn", fmt.Sprintf("INSERT INTO shop.turn (id,v) VALUES (%d,9)", rnd.IntN(1000))},
		{"CREATE INDEX byv ON shop.turn (v)", fmt.Sprintf("UPDATE shop.turn SET v=v+%d", rnd.IntN(5)), "DROP INDEX byv ON shop.turn"},
	}[rnd.IntN(4)] {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// covers reports whether the GTID set applied holds all of end.
func covers(applied, end string) bool {
	a, err := change.ParseGTIDSet(applied)
	if err != nil {
		return false
	}
	e, err := change.ParseGTIDSet(end)
	return err == nil && a.Contains(e)
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// A transaction of largeRows rows of largeRow bytes is above the reader's bound, so that it arrives in parts.
const (
	largeRow  = 16_000
	largeRows = replicator.DefaultMaxPartBytes/largeRow*5/4 + 1
)

// StartLarge writes a transaction above the reader's bound now and then, so that oversized transactions are among
// what is killed.
func (r *Rig) StartLarge(t testing.TB) *Load {
	t.Helper()
	r.Source.Exec(t, fmt.Sprintf("CREATE TABLE IF NOT EXISTS shop.bulk (id INT PRIMARY KEY AUTO_INCREMENT, filler VARBINARY(%d))", largeRow))
	return r.startClients(t, clients{n: 1, draws: 1 << 33, pace: Pace(time.Second), work: func(ctx context.Context, db *sql.DB, rnd *rand.Rand) error {
		if _, err := db.ExecContext(ctx, "DELETE FROM shop.bulk"); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO shop.bulk (filler) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT /*+ SET_VAR(cte_max_recursion_depth=20000) */ REPEAT(CHAR(?), %d) FROM n`, largeRows, largeRow), rnd.IntN(256))
		return err
	}})
}
