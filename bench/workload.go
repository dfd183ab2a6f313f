package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
)

// Workload is a kind of backlog: tables that both sides begin with, and the transactions that the source then has ahead.
// All of it follows from the seed and the size; only how the clients' transactions interleave, and wide's time stamps, do not.
type Workload struct {
	Name  string
	About string
	// Goal is the ratio to native replication's best that binseal is to reach.
	Goal Goal
	// Heavy workloads are left out of a quick run.
	Heavy bool

	each    func(size Size) float64 // Row changes of a transaction; nil where there is DDL between.
	changes func(size Size) int64   // Of the backlog, where the source counts more, since its DDL copies tables; nil elsewhere.
	tables  func(size Size) []string
	fill    func(size Size, rnd *rand.Rand, insert func(table, values string) error) error
	backlog func(ctx context.Context, c *clients, size Size) error
}

// rowsEach is Workload.each of a number that no size changes.
func rowsEach(n float64) func(Size) float64 { return func(Size) float64 { return n } }

// did refuses a backlog that changed fewer rows than the workload says: statements that find no row cost nobody anything,
// and the figures would be of another load. The source also counts what it rolled back for a deadlock, so more may be.
func (w *Workload) did(size Size, changed float64) error {
	if w.each == nil || changed >= 0.9*w.each(size) {
		return nil
	}
	return fmt.Errorf("workload %s has changed %.2f rows a transaction; it says %.2f", w.Name, changed, w.each(size))
}

// Goal is a ratio to native replication for each mode; 0 where none is set.
type Goal struct{ Split, Strict float64 }

// Size scales a workload: 1 is the size that the figures are quoted for.
type Size float64

// of is n scaled, at least 1.
func (s Size) of(n int) int { return max(1, int(float64(n)*float64(s))) }

// schemaName holds a workload's tables.
const schemaName = "bench"

// Workloads are all of them, in the order in which they run.
func Workloads() []*Workload {
	return []*Workload{oltp(), insert(), bulk(), hot(), secondary(), wide(), nokey(), ddlMix(), oltpUniform()}
}

// clients are sessions on the source that write a backlog.
type clients struct {
	db    *sql.DB
	seed  uint64
	times int // Multiplies the transactions, not the tables.
}

// each lets n sessions write total transactions between them. work writes one: its text is sent in one packet and is
// repeated when it met a deadlock.
func (c *clients) each(ctx context.Context, n, total int, work func(rnd *rand.Rand, i int) string) error {
	total *= c.times
	g, ctx := errgroup.WithContext(ctx)
	for k := range n {
		g.Go(func() error {
			conn, err := c.db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := conn.ExecContext(ctx, "USE "+schemaName); err != nil {
				return err
			}
			rnd := rand.New(rand.NewPCG(c.seed, uint64(k)))
			for i := k; i < total; i += n {
				if err := transact(ctx, conn, work(rnd, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// deadlock is the error of a transaction that the server rolled back in favour of another.
const deadlock = 1213

// transact runs one transaction until it is committed.
func transact(ctx context.Context, conn *sql.Conn, text string) error {
	for {
		_, err := conn.ExecContext(ctx, text)
		if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != deadlock {
			return err
		}
	}
}

// transaction joins statements.
func transaction(statements ...string) string {
	return "BEGIN;" + strings.Join(statements, ";") + ";COMMIT"
}

// letters is text of n letters and digits.
func letters(rnd *rand.Rand, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return string(b)
}

// digits are groups of digits, as sysbench writes them: "12345678901-…".
func digits(rnd *rand.Rand, groups int) string {
	b := make([]byte, 0, groups*12)
	for g := range groups {
		if g > 0 {
			b = append(b, '-')
		}
		for range 11 {
			b = append(b, '0'+byte(rnd.IntN(10)))
		}
	}
	return string(b)
}

// skewed is an id from 1 to n as sysbench's distribution "special" draws it: three of four from the one per cent in the
// middle, the others from the mean of twelve draws.
func skewed(rnd *rand.Rand, n int) int {
	if rnd.IntN(4) > 0 {
		band := max(1, n/100)
		return 1 + n/2 - band/2 + rnd.IntN(band)
	}
	sum := 0
	for range 12 {
		sum += rnd.IntN(n)
	}
	return 1 + sum/12
}

func uniform(rnd *rand.Rand, n int) int { return 1 + rnd.IntN(n) }

// filler collects rows into statements of a bounded size and executes them.
type filler struct {
	ctx  context.Context
	conn *sql.Conn
	head string
	buf  []byte
}

const fillBytes = 512 << 10 // Of one INSERT: well below max_allowed_packet.

// insert takes a row of a table, its values as "(…)".
func (f *filler) insert(table, values string) error {
	head := "INSERT INTO " + schemaName + "." + table + " VALUES "
	if head != f.head || len(f.buf) > fillBytes {
		if err := f.flush(); err != nil {
			return err
		}
		f.head = head
		f.buf = append(f.buf[:0], head...)
	} else {
		f.buf = append(f.buf, ',')
	}
	f.buf = append(f.buf, values...)
	return nil
}

func (f *filler) flush() error {
	if len(f.buf) == 0 {
		return nil
	}
	_, err := f.conn.ExecContext(f.ctx, string(f.buf))
	f.buf = f.buf[:0]
	return err
}

// Prepare makes the workload's tables and the rows that both sides begin with, on one server, without a trace in its log.
func (w *Workload) Prepare(ctx context.Context, db *sql.DB, size Size, seed uint64) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, q := range append([]string{"SET SESSION sql_log_bin=0", "SET SESSION unique_checks=0", "CREATE DATABASE " + schemaName, "USE " + schemaName}, w.tables(size)...) {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("workload %s: %w", w.Name, err)
		}
	}
	if w.fill == nil {
		return nil
	}
	f := &filler{ctx: ctx, conn: conn}
	rnd := rand.New(rand.NewPCG(seed, 1<<40))
	if err = errors.Join(w.fill(size, rnd, f.insert), f.flush()); err != nil {
		return fmt.Errorf("workload %s: %w", w.Name, err)
	}
	_, err = conn.ExecContext(ctx, "SET SESSION sql_log_bin=1, unique_checks=1")
	return err
}

// Write makes the backlog on the source, so many times as long as the size says.
func (w *Workload) Write(ctx context.Context, db *sql.DB, size Size, seed uint64, times int) error {
	if err := w.backlog(ctx, &clients{db: db, seed: seed, times: times}, size); err != nil {
		return fmt.Errorf("workload %s: %w", w.Name, err)
	}
	return nil
}
