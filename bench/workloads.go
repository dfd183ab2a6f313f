package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	sbTables  = 8
	sbClients = 8
)

// sbtest is sysbench's table.
func sbtest(i int) string { return fmt.Sprintf("sbtest%d", i+1) }

func sbtestTables(Size) []string {
	var all []string
	for i := range sbTables {
		all = append(all, "CREATE TABLE "+sbtest(i)+` (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT '',
			pad CHAR(60) NOT NULL DEFAULT '', KEY k_1 (k))`)
	}
	return all
}

// sbtestRows fills the tables with rows each.
func sbtestRows(rows int) func(Size, *rand.Rand, func(table, values string) error) error {
	return func(size Size, rnd *rand.Rand, insert func(table, values string) error) error {
		n := size.of(rows)
		for i := range sbTables {
			for id := 1; id <= n; id++ {
				if err := insert(sbtest(i), sbRow(rnd, id, uniform(rnd, n))); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func sbRow(rnd *rand.Rand, id, k int) string {
	return fmt.Sprintf("(%d,%d,'%s','%s')", id, k, digits(rnd, 10), digits(rnd, 5))
}

// oltp is sysbench's oltp_write_only: an update of the indexed column, one of another, and a row deleted and inserted again.
func oltp() *Workload {
	w := &Workload{Name: "oltp", About: "sysbench oltp_write_only: 8 tables × 100k rows, 200k transactions of 4 statements, skewed keys", Goal: Goal{Split: 12, Strict: 6}}
	w.each, w.tables, w.fill, w.backlog = rowsEach(4), sbtestTables, sbtestRows(100_000), writeOnly(100_000, skewed)
	return w
}

func oltpUniform() *Workload {
	w := &Workload{Name: "oltp-uniform", About: "the same with uniform keys over 8 tables × 1M rows", Goal: Goal{Split: 5, Strict: 3}, Heavy: true}
	w.each, w.tables, w.fill, w.backlog = rowsEach(4), sbtestTables, sbtestRows(1_000_000), writeOnly(1_000_000, uniform)
	return w
}

func writeOnly(rows int, draw func(*rand.Rand, int) int) func(context.Context, *clients, Size) error {
	return func(ctx context.Context, c *clients, size Size) error {
		n := size.of(rows)
		return c.each(ctx, sbClients, size.of(200_000), func(rnd *rand.Rand, _ int) string { return writeOnlyText(rnd, n, draw) })
	}
}

// writeOnlyText is one transaction of oltp on tables of so many rows: as in sysbench's oltp_common.lua each update, and the
// delete with its insert, draws a table. The columns are named, since ddl-mix adds some.
func writeOnlyText(rnd *rand.Rand, rows int, draw func(*rand.Rand, int) int) string {
	table := func() string { return sbtest(rnd.IntN(sbTables)) }
	of, again := table(), draw(rnd, rows)
	return transaction(
		fmt.Sprintf("UPDATE %s SET k=k+1 WHERE id=%d", table(), draw(rnd, rows)),
		fmt.Sprintf("UPDATE %s SET c='%s' WHERE id=%d", table(), digits(rnd, 10), draw(rnd, rows)),
		fmt.Sprintf("DELETE FROM %s WHERE id=%d", of, again),
		fmt.Sprintf("INSERT INTO %s (id,k,c,pad) VALUES %s", of, sbRow(rnd, again, draw(rnd, rows))))
}

// insert is sysbench's oltp_insert: each client has its table.
func insert() *Workload {
	w := &Workload{Name: "insert", About: "sysbench oltp_insert: 300k single-row transactions", Goal: Goal{Split: 14, Strict: 10}}
	w.each, w.tables, w.fill = rowsEach(1), sbtestTables, sbtestRows(1000)
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		return c.each(ctx, sbClients, size.of(300_000), func(rnd *rand.Rand, i int) string {
			return fmt.Sprintf("INSERT INTO %s (k,c,pad) VALUES (%d,'%s','%s')", sbtest(i%sbTables), uniform(rnd, 100_000), digits(rnd, 10), digits(rnd, 5))
		})
	}
	return w
}

// bulk has few large transactions: rows inserted from a table, then one column of them changed.
func bulk() *Workload {
	const rows = 50_000
	w := &Workload{Name: "bulk", About: "10 transactions of 50k inserted rows and 10 of 50k rows of which one column is updated", Goal: Goal{Split: 1.2, Strict: 0.9}}
	w.each = func(size Size) float64 { return float64(size.of(rows)) }
	w.tables = func(Size) []string {
		return append(sbtestTables(0)[:1], "CREATE TABLE big (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, batch INT NOT NULL, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY k_1 (k))")
	}
	w.fill = func(size Size, rnd *rand.Rand, insert func(table, values string) error) error {
		for id := 1; id <= size.of(rows); id++ {
			if err := insert(sbtest(0), sbRow(rnd, id, uniform(rnd, rows))); err != nil {
				return err
			}
		}
		return nil
	}
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		batches := 10 * c.times
		return c.each(ctx, 1, 20, func(_ *rand.Rand, i int) string {
			// The keys are written: INSERT … SELECT without them leaves gaps, since it takes AUTO_INCREMENT values in powers of two.
			if i < batches {
				return fmt.Sprintf("INSERT INTO big SELECT %d+id, %d, k, c, pad FROM sbtest1 ORDER BY id", i*size.of(rows), i)
			}
			first := (i - batches) * size.of(rows)
			return fmt.Sprintf("UPDATE big SET pad='%0*d' WHERE id>%d AND id<=%d", 40, i, first, first+size.of(rows))
		})
	}
	return w
}

// hot updates ten rows over and over.
func hot() *Workload {
	w := &Workload{Name: "hot", About: "200k single-row updates of 10 rows", Goal: Goal{Split: 60, Strict: 60}}
	w.each, w.tables, w.fill = rowsEach(1), sbtestTables, sbtestRows(1000)
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		return c.each(ctx, sbClients, size.of(200_000), func(rnd *rand.Rand, _ int) string {
			return fmt.Sprintf("UPDATE sbtest1 SET k=k+1 WHERE id=%d", 1+rnd.IntN(10))
		})
	}
	return w
}

// secondary has unique and plain secondary keys over text under a case-insensitive collation.
func secondary() *Workload {
	const rows = 200_000
	w := &Workload{Name: "secondary", About: "100k transactions of 3 statements on a table with a text key, a unique and a plain secondary key over text and one over an integer (utf8mb4_0900_ai_ci)", Goal: Goal{Split: 4, Strict: 3}}
	w.each = rowsEach(3)
	w.tables = func(Size) []string {
		return []string{`CREATE TABLE customer (code VARCHAR(24) NOT NULL PRIMARY KEY, email VARCHAR(80) NOT NULL, name VARCHAR(60) NOT NULL, city VARCHAR(40) NOT NULL,
			visits INT NOT NULL, note VARCHAR(200), UNIQUE KEY email (email), KEY name (name, city), KEY visits (visits)) COLLATE utf8mb4_0900_ai_ci`}
	}
	row := func(rnd *rand.Rand, id int) string {
		return fmt.Sprintf("('Cust-%08d','%s.%d@Example.com','%s','%s',%d,'%s')", id, letters(rnd, 8), id, strings.ToTitle(letters(rnd, 10)), letters(rnd, 6), rnd.IntN(1000), letters(rnd, 60))
	}
	w.fill = func(size Size, rnd *rand.Rand, insert func(table, values string) error) error {
		for id := 1; id <= size.of(rows); id++ {
			if err := insert("customer", row(rnd, id)); err != nil {
				return err
			}
		}
		return nil
	}
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		n := size.of(rows)
		return c.each(ctx, sbClients, size.of(100_000), func(rnd *rand.Rand, i int) string {
			moved := uniform(rnd, n)
			return transaction(
				fmt.Sprintf("UPDATE customer SET visits=visits+1, city='%s' WHERE code='cust-%08d'", letters(rnd, 6), uniform(rnd, n)),
				fmt.Sprintf("UPDATE customer SET email='%s.%d@example.ORG' WHERE code='Cust-%08d'", letters(rnd, 8), moved, moved),
				"INSERT INTO customer VALUES "+row(rnd, n+1+i))
		})
	}
	return w
}

// nokey has a small table without any key beside keyed ones. As many rows come as go, so about 500 are there all the time, and
// an update changes one in the middle: none, one or some with equal columns.
func nokey() *Workload {
	const rows = 500
	w := &Workload{Name: "nokey", About: "20k transactions of 2 statements: one on a table without a key (500 rows), one on a keyed table", Goal: Goal{Split: 1, Strict: 1}}
	w.each = rowsEach(2)
	w.tables = func(size Size) []string {
		return append(sbtestTables(size), "CREATE TABLE nokey (a INT NOT NULL, b INT NOT NULL, c CHAR(60) NOT NULL)")
	}
	keyed := sbtestRows(10_000)
	w.fill = func(size Size, rnd *rand.Rand, insert func(table, values string) error) error {
		for a := range rows {
			if err := insert("nokey", fmt.Sprintf("(%d,0,'%s')", a, digits(rnd, 5))); err != nil {
				return err
			}
		}
		return keyed(size, rnd, insert)
	}
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		return c.each(ctx, sbClients, size.of(20_000), func(rnd *rand.Rand, i int) string {
			on := fmt.Sprintf("UPDATE nokey SET b=b+1 WHERE a=%d", rnd.IntN(rows))
			switch i % 10 {
			case 0:
				on = fmt.Sprintf("INSERT INTO nokey VALUES (%d,0,'%s')", rnd.IntN(rows), digits(rnd, 5))
			case 1:
				on = fmt.Sprintf("DELETE FROM nokey WHERE a>=%d LIMIT 1", rnd.IntN(rows))
			}
			return transaction(on, fmt.Sprintf("UPDATE %s SET c='%s' WHERE id=%d", sbtest(rnd.IntN(sbTables)), digits(rnd, 10), uniform(rnd, size.of(10_000))))
		})
	}
	return w
}

// ddlMix changes definitions between the transactions of oltp.
func ddlMix() *Workload {
	w := &Workload{Name: "ddl-mix", About: "40k transactions of oltp with a DDL after each 2,000: columns and indexes come and go, tables are made, swapped and dropped"}
	const rounds = 20
	w.tables, w.fill = sbtestTables, sbtestRows(20_000)
	w.changes = func(size Size) int64 { return int64(size.of(40_000) / rounds * rounds * 4) }
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		for i := range rounds {
			part := &clients{db: c.db, seed: c.seed + uint64(i), times: c.times}
			err := part.each(ctx, sbClients, size.of(40_000)/rounds, func(rnd *rand.Rand, _ int) string { return writeOnlyText(rnd, size.of(20_000), skewed) })
			if err != nil {
				return err
			}
			for _, q := range definition(i) {
				if err := (&clients{db: c.db, times: 1}).each(ctx, 1, 1, func(*rand.Rand, int) string { return q }); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return w
}

// definition is the DDL behind round i.
func definition(i int) []string {
	table := sbtest(i / 5 % sbTables)
	switch i % 5 {
	case 0:
		return []string{"ALTER TABLE " + table + " ADD COLUMN added INT NOT NULL DEFAULT 7"}
	case 1:
		return []string{"ALTER TABLE " + table + " ADD INDEX by_pad (pad)"}
	case 2:
		return []string{"CREATE TABLE " + table + "_new LIKE " + table, "RENAME TABLE " + table + "_new TO " + table + "_old"}
	case 3:
		return []string{"ALTER TABLE " + table + " DROP INDEX by_pad", "ALTER TABLE " + table + " MODIFY COLUMN added BIGINT NOT NULL DEFAULT 7"}
	default:
		return []string{"DROP TABLE " + table + "_old", "ALTER TABLE " + table + " DROP COLUMN added"}
	}
}
