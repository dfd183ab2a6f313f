package chaos

import (
	"fmt"
	"os"
	"strings"
	"testing"
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

// Backlog writes at least changes row changes in many transactions: rows are inserted and each updated six times, so that
// there is something to merge.
func (r *Rig) Backlog(t testing.TB, changes int) {
	t.Helper()
	const rows = 100
	r.Source.Exec(t, "CREATE TABLE IF NOT EXISTS shop.log (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT, word VARCHAR(1000))",
		"CREATE TABLE IF NOT EXISTS shop.hundred (n INT PRIMARY KEY)",
		"REPLACE INTO shop.hundred WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 99) SELECT i FROM n")
	var statements []string
	for done := 0; done < changes; done += 7 * rows {
		statements = append(statements, "START TRANSACTION",
			"INSERT INTO shop.log (n,word) SELECT n, REPEAT('word ', 2*n) FROM shop.hundred", "SET @first=CAST(LAST_INSERT_ID() AS SIGNED)",
			fmt.Sprintf("UPDATE shop.log SET n=n+1 WHERE id >= @first AND id < @first+%d", rows),
			fmt.Sprintf("UPDATE shop.log SET n=n+1 WHERE id >= @first-%d AND id < @first", 5*rows), "COMMIT")
	}
	r.Source.Exec(t, statements...)
}
