package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// MemoryBound is the largest peak of the daemon's resident memory that is allowed, in bytes (invariant 7).
const MemoryBound = 512 << 20

// PeakRSS is the largest resident memory that the running daemon has had, in bytes: VmHWM of proc_pid_status(5).
func (d *Daemon) PeakRSS(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	must(t, err)
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatalf("no VmHWM of process %d: %v", d.cmd.Process.Pid, err)
	}
	return kib << 10
}

// Oversized writes one transaction of at least size bytes of row data: rows of 1 KiB and of 1 MiB, inserted and a
// part of them updated.
func (r *Rig) Oversized(t testing.TB, size int) {
	t.Helper()
	const (
		small, large = 1 << 10, 1 << 20 // Bytes of a row.
		block        = 16 << 20         // Bytes that one statement inserts of each kind.
	)
	r.Source.Exec(t, "CREATE TABLE IF NOT EXISTS shop.wide (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT, filler LONGBLOB)",
		"CREATE TABLE IF NOT EXISTS shop.digits (n INT PRIMARY KEY)",
		"REPLACE INTO shop.digits WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 999) SELECT i FROM n",
		"CREATE TABLE IF NOT EXISTS shop.many (n INT PRIMARY KEY)",
		fmt.Sprintf("REPLACE INTO shop.many SELECT a.n*1000+b.n FROM shop.digits a JOIN shop.digits b WHERE a.n*1000+b.n < %d", block/small))
	statements := []string{"START TRANSACTION"}
	for i := 0; i*2*block < size; i++ {
		statements = append(statements,
			fmt.Sprintf("INSERT INTO shop.wide (n,filler) SELECT n, REPEAT(UNHEX(SHA2(n+%d,256)), %d) FROM shop.many", i, small/32),
			fmt.Sprintf("INSERT INTO shop.wide (n,filler) SELECT n, REPEAT(UNHEX(SHA2(n+%d,256)), %d) FROM shop.digits WHERE n < %d", i, large/32, block/large))
	}
	statements = append(statements, "UPDATE shop.wide SET n=n+1 WHERE id%100=0", "COMMIT")
	r.Source.Exec(t, statements...)
}

// Backlog writes transactions of three row changes each, from four clients: an insert, and updates of two earlier
// rows, so that there is something to merge.
func (r *Rig) Backlog(t testing.TB, transactions int) {
	t.Helper()
	const clients, batch = 4, 500 // Transactions that a client sends in one packet.
	r.Source.Exec(t, "CREATE TABLE IF NOT EXISTS shop.log (id BIGINT PRIMARY KEY, n INT, word VARCHAR(200))")
	var g errgroup.Group
	for client := range clients {
		g.Go(func() error {
			var b strings.Builder
			for i := range transactions / clients {
				id := i*clients + client // Clients never meet on a row.
				fmt.Fprintf(&b, "START TRANSACTION; INSERT INTO shop.log VALUES (%d,0,REPEAT('word ',%d)); UPDATE shop.log SET n=n+1 WHERE id IN (%d,%d); COMMIT;",
					id, i%30, id-clients*(i%7), id-clients*(i%1000))
				if (i+1)%batch != 0 && i+1 < transactions/clients {
					continue
				}
				if _, err := r.Source.DB().ExecContext(context.WithoutCancel(t.Context()), b.String()); err != nil {
					return err
				}
				b.Reset()
			}
			return nil
		})
	}
	must(t, g.Wait())
}
