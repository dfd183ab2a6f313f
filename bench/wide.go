package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// wideColumn is a kind of column of the wide table, and a value of it.
type wideColumn struct {
	definition string
	value      func(rnd *rand.Rand) string
}

var wideKinds = []wideColumn{
	{"INT NOT NULL", func(rnd *rand.Rand) string { return fmt.Sprint(rnd.Int32()) }},
	{"BIGINT UNSIGNED", func(rnd *rand.Rand) string { return fmt.Sprint(rnd.Uint64()) }},
	{"DECIMAL(20,6)", func(rnd *rand.Rand) string {
		return fmt.Sprintf("%d.%06d", rnd.IntN(1_000_000_000), rnd.IntN(1_000_000))
	}},
	{"DOUBLE", func(rnd *rand.Rand) string { return fmt.Sprint(rnd.NormFloat64()) }},
	{"DATETIME(6)", func(rnd *rand.Rand) string {
		return fmt.Sprintf("'2025-%02d-%02d 12:%02d:%02d.%06d'", 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(60), rnd.IntN(60), rnd.IntN(1_000_000))
	}},
	{"TIMESTAMP NULL", func(rnd *rand.Rand) string {
		return fmt.Sprintf("FROM_UNIXTIME(%d)", 1_700_000_000+rnd.IntN(10_000_000))
	}},
	{"DATE", func(rnd *rand.Rand) string { return fmt.Sprintf("'2024-%02d-%02d'", 1+rnd.IntN(12), 1+rnd.IntN(28)) }},
	{"VARCHAR(100)", func(rnd *rand.Rand) string { return "'" + letters(rnd, 10+rnd.IntN(60)) + "é'" }},
	{"VARBINARY(64)", func(rnd *rand.Rand) string { return fmt.Sprintf("x'%016x'", rnd.Uint64()) }},
	{"ENUM('new','paid','sent','back')", func(rnd *rand.Rand) string { return fmt.Sprint(1 + rnd.IntN(4)) }},
	{"SET('a','b','c','d')", func(rnd *rand.Rand) string { return fmt.Sprint(rnd.IntN(16)) }},
	{"TINYINT", func(rnd *rand.Rand) string { return fmt.Sprint(rnd.IntN(200) - 100) }},
}

const (
	wideColumns = 56 // With the key, a text, a BLOB and a JSON document 60.
	wideRows    = 20_000
	wideFiles   = 50 // One of so many rows has a BLOB, of 20 to 50 kB, which InnoDB keeps in pages of its own.
)

func wideValues(rnd *rand.Rand, id int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "(%d", id)
	for i := range wideColumns {
		b.WriteByte(',')
		b.WriteString(wideKinds[i%len(wideKinds)].value(rnd))
	}
	file := "NULL"
	if rnd.IntN(wideFiles) == 0 {
		bytes := make([]byte, 20_000+rnd.IntN(30_000))
		for i := range bytes {
			bytes[i] = byte(rnd.Uint32())
		}
		file = fmt.Sprintf("x'%x'", bytes)
	}
	fmt.Fprintf(&b, `,'%s',%s,'{"id": %d, "tags": ["%s", "%s"], "price": %d.5, "sent": null}')`, letters(rnd, 500+rnd.IntN(1500)), file, id, letters(rnd, 5), letters(rnd, 5), rnd.IntN(1000))
	return b.String()
}

// wide has rows of 60 columns of mixed types.
func wide() *Workload {
	w := &Workload{Name: "wide", About: "40k transactions of 2 statements on a table of 60 columns of mixed types with text, JSON and BLOBs, about 4 kB a row", Goal: Goal{Split: 4, Strict: 3}}
	w.each = rowsEach(2)
	w.tables = func(Size) []string {
		var b strings.Builder
		b.WriteString("CREATE TABLE wide (id INT PRIMARY KEY")
		for i := range wideColumns {
			fmt.Fprintf(&b, ", c%02d %s", i, wideKinds[i%len(wideKinds)].definition)
		}
		return []string{b.String() + ", body TEXT, file MEDIUMBLOB, doc JSON)"}
	}
	w.fill = func(size Size, rnd *rand.Rand, insert func(table, values string) error) error {
		for id := 1; id <= size.of(wideRows); id++ {
			if err := insert("wide", wideValues(rnd, id)); err != nil {
				return err
			}
		}
		return nil
	}
	w.backlog = func(ctx context.Context, c *clients, size Size) error {
		n, half := size.of(wideRows), size.of(wideRows/2)
		return c.each(ctx, sbClients, size.of(40_000), func(rnd *rand.Rand, i int) string {
			// Rows with odd numbers are updated; those with even numbers are deleted, each once and in no order. So no statement finds nothing.
			update := fmt.Sprintf(`UPDATE wide SET c00=%d, c07='%s', c04=NOW(6), doc=JSON_SET(doc,'$.price',%d) WHERE id=%d`, rnd.Int32(), letters(rnd, 20), rnd.IntN(100), 2*uniform(rnd, half)-1)
			if i%4 == 0 {
				return transaction(update, fmt.Sprintf("DELETE FROM wide WHERE id=%d", 2*(1+i/4*7919%half)))
			}
			return transaction(update, "INSERT INTO wide VALUES "+wideValues(rnd, n+1+i))
		})
	}
	return w
}
