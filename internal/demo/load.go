package demo

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"github.com/binseal/binseal/internal/testmysql"
)

const (
	schemaName = "shop"
	accounts   = 200 // Rows that transfers move money between.
	seats      = 100 // Rows that swap their unique values.
	// marker is text that stands in every customer's row; the proof looks for it in the servers' data files.
	marker = "BINSEAL-DEMO-PLAINTEXT-MARKER"
)

// tables are created on the source after the daemon has started, so that the target gets them by DDL.
var tables = []string{
	"CREATE DATABASE shop CHARACTER SET utf8mb4",
	`CREATE TABLE shop.customers (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(60) NOT NULL, email VARCHAR(80) NOT NULL,
		marker VARCHAR(40) NOT NULL, UNIQUE KEY by_email (email))`,
	`CREATE TABLE shop.orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, total DECIMAL(12,2) NOT NULL,
		status ENUM('new','paid','sent') NOT NULL DEFAULT 'new', details JSON, placed DATETIME(6) NOT NULL, KEY by_customer (customer))`,
	"CREATE TABLE shop.accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
	"CREATE TABLE shop.seats (id INT PRIMARY KEY, seat INT, UNIQUE KEY by_seat (seat))",
	"CREATE TABLE shop.clicks (page VARCHAR(20) CHARACTER SET latin1, at DATE, body BLOB)", // Keyless on purpose.
}

// lateDDL runs in the middle of the load.
var lateDDL = []string{
	"ALTER TABLE shop.orders ADD COLUMN note VARCHAR(40) NOT NULL DEFAULT ''",
	"CREATE INDEX by_status ON shop.orders (status)",
	"CREATE TABLE shop.refunds (orders BIGINT PRIMARY KEY, amount DECIMAL(12,2) NOT NULL, why TEXT)",
}

// load is the clients that write to the source.
type load struct {
	source       *testmysql.Server
	perKind      int
	db           *sql.DB
	transactions atomic.Int64 // Committed by the clients.
	altered      atomic.Bool  // lateDDL is done: its column and table may be used.
}

func newLoad(source *testmysql.Server, perKind int) *load {
	return &load{source: source, perKind: perKind}
}

// clients is how many run at the same time.
func (l *load) clients() int { return l.perKind*len(kinds) + 1 }

// close ends the clients' connections.
func (l *load) close() {
	if l.db != nil {
		_ = l.db.Close()
	}
}

// prepare creates an account, the tables and their first rows.
func (l *load) prepare(ctx context.Context) error {
	password := rand.Text()
	err := l.source.Run(ctx,
		"CREATE USER shop@'%' IDENTIFIED BY '"+password+"' REQUIRE SSL", "GRANT ALL ON shop.* TO shop@'%'")
	if err != nil {
		return err
	}
	if l.db, err = l.source.Open("shop", password); err != nil {
		return err
	}
	l.db.SetMaxIdleConns(l.clients())
	for _, statement := range tables {
		if _, err := l.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	for i := range accounts {
		if _, err := l.db.ExecContext(ctx, "INSERT INTO shop.accounts VALUES (?, 1000)", i+1); err != nil {
			return err
		}
	}
	for i := range seats {
		if _, err := l.db.ExecContext(ctx, "INSERT INTO shop.seats VALUES (?, ?)", i+1, i+1); err != nil {
			return err
		}
	}
	return nil
}

// kinds of clients, by what they write in one transaction.
var kinds = []func(*load, context.Context, *sql.Tx) error{
	(*load).order, (*load).transfer, (*load).click, (*load).swap,
}

// run writes until writing ends; transactions in flight are finished, unless ctx ends.
func (l *load) run(ctx, writing context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range kinds {
		for range l.perKind {
			group.Go(func() error {
				for writing.Err() == nil && ctx.Err() == nil {
					if err := l.transact(ctx, kind); err != nil {
						return err
					}
					time.Sleep(2 * time.Millisecond) // Servers, clients and daemon share one machine.
				}
				return nil
			})
		}
	}
	group.Go(func() error { return l.alter(ctx, writing) })
	return group.Wait()
}

// alter changes the schema once the load has run for a while.
func (l *load) alter(ctx, writing context.Context) error {
	wait := time.Second
	if deadline, ok := writing.Deadline(); ok {
		wait = time.Until(deadline) / 2
	}
	select {
	case <-writing.Done():
		return nil
	case <-time.After(wait):
	}
	for _, statement := range lateDDL {
		if _, err := l.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("DDL on the source: %w", nameless(err))
		}
		l.transactions.Add(1)
	}
	l.altered.Store(true)
	return nil
}

// MySQL error numbers after which a transaction is simply tried again.
const (
	errLockWait = 1205 // ER_LOCK_WAIT_TIMEOUT
	errDeadlock = 1213 // ER_LOCK_DEADLOCK
)

// transact runs one transaction of a client, again when the server chose it as a deadlock's victim.
func (l *load) transact(ctx context.Context, work func(*load, context.Context, *sql.Tx) error) error {
	for {
		err := l.try(ctx, work)
		if err == nil {
			l.transactions.Add(1)
			return nil
		}
		if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != errLockWait && e.Number != errDeadlock {
			return nameless(err)
		}
	}
}

// nameless drops a server's error text, which may carry values (invariant 9), and keeps its number.
func nameless(err error) error {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return fmt.Errorf("MySQL error %d", e.Number)
	}
	return err
}

func (l *load) try(ctx context.Context, work func(*load, context.Context, *sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(l, ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// order places an order for a new customer, moves older ones on and deletes some.
func (l *load) order(ctx context.Context, tx *sql.Tx) error {
	result, err := tx.ExecContext(ctx, "INSERT INTO shop.customers (name, email, marker) VALUES (?, ?, ?)",
		"Zoë "+rand.Text()[:8], rand.Text()+"@example.test", marker)
	if err != nil {
		return err
	}
	customer, err := result.LastInsertId()
	if err != nil {
		return err
	}
	placed := time.Now().UTC().Format("2006-01-02 15:04:05.000000")
	result, err = tx.ExecContext(ctx, "INSERT INTO shop.orders (customer, total, details, placed) VALUES (?, ?, ?, ?), (?, ?, ?, ?)",
		customer, mathrand.Float64()*1000, `{"gift": true, "weight": 1.50, "tags": ["é", null]}`, placed,
		customer, mathrand.Float64()*1000, nil, placed)
	if err != nil {
		return err
	}
	order, err := result.LastInsertId()
	if err != nil {
		return err
	}
	older := order - 1 - mathrand.Int64N(200)
	if _, err := tx.ExecContext(ctx, "UPDATE shop.orders SET status = 'paid', total = total + 1 WHERE id = ?", older); err != nil {
		return err
	}
	if l.altered.Load() {
		if err := l.refund(ctx, tx, older); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM shop.orders WHERE id = ?", older-1000)
	return err
}

// refund uses what lateDDL brought.
func (l *load) refund(ctx context.Context, tx *sql.Tx, order int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE shop.orders SET note = 'refunded' WHERE id = ?", order); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT IGNORE INTO shop.refunds VALUES (?, 1.00, 'because')", order)
	return err
}

// transfer moves money; the sum of all balances never changes.
func (l *load) transfer(ctx context.Context, tx *sql.Tx) error {
	from, to, amount := mathrand.IntN(accounts)+1, mathrand.IntN(accounts)+1, mathrand.IntN(50)
	if _, err := tx.ExecContext(ctx, "UPDATE shop.accounts SET balance = balance - ? WHERE id = ?", amount, from); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE shop.accounts SET balance = balance + ? WHERE id = ?", amount, to)
	return err
}

// click writes identical rows to a keyless table and now and then deletes one of them: one applied twice or
// skipped would show.
func (l *load) click(ctx context.Context, tx *sql.Tx) error {
	page := fmt.Sprintf("page %d", mathrand.IntN(5))
	if _, err := tx.ExecContext(ctx, "INSERT INTO shop.clicks VALUES (?, '2026-01-01', NULL), (?, '2026-01-01', x'00ff')", page, page); err != nil {
		return err
	}
	if mathrand.IntN(4) > 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM shop.clicks WHERE page = ? LIMIT 1", page)
	return err
}

// swap lets two rows trade their unique values.
func (l *load) swap(ctx context.Context, tx *sql.Tx) error {
	a, b := mathrand.IntN(seats)+1, mathrand.IntN(seats)+1
	if a == b {
		b = a%seats + 1
	}
	var seatA, seatB int
	err := tx.QueryRowContext(ctx, "SELECT (SELECT seat FROM shop.seats WHERE id = ? FOR UPDATE), (SELECT seat FROM shop.seats WHERE id = ? FOR UPDATE)",
		min(a, b), max(a, b)).Scan(&seatA, &seatB)
	if err != nil {
		return err
	}
	for _, change := range []struct {
		id   int
		seat any
	}{{min(a, b), nil}, {max(a, b), seatA}, {min(a, b), seatB}} {
		if _, err := tx.ExecContext(ctx, "UPDATE shop.seats SET seat = ? WHERE id = ?", change.seat, change.id); err != nil {
			return err
		}
	}
	return nil
}
