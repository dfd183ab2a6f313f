package replicator

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// A start set with gaps, as a load or another stream may leave it: the source sends what is missing, wherever it is.
func TestStartAtASetWithGaps(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)")
	uuid := s.QueryT(t, "SELECT @@server_uuid")[0][0]
	from := here(t, s, true)
	var base int64
	if _, err := fmt.Sscan(from.GTIDs[strings.LastIndexAny(from.GTIDs, ":-")+1:], &base); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		s.Exec(t, fmt.Sprintf("INSERT INTO shop.a VALUES (%d)", i+1))
		if i == 4 {
			s.Exec(t, "FLUSH BINARY LOGS")
		}
	}
	from.GTIDs, from.Pos = fmt.Sprintf("%s:1-%d:%d:%d-%d", uuid, base+1, base+3, base+6, base+7), change.Position{}
	txns, err := collect(t, s, reader(t, s, nil), from)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, txn := range txns {
		got = append(got, txn.GTID.GNO-base)
	}
	if diff := cmp.Diff([]int64{2, 4, 5, 8, 9}, got); diff != "" {
		t.Error(diff)
	}
}

// gtid_mode is switched under a running stream, step by step. By file and position nothing happens; by GTID the first
// transaction without one stops the stream, and nothing behind it is read: its place in the record would be nowhere.
func TestGTIDModeIsSwitchedWhileRunning(t *testing.T) {
	s := source(t, testmysql.SourceOptions())
	s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)")
	byGTID, byPosition := here(t, s, true), here(t, s, false)
	s.Exec(t, "INSERT INTO shop.a VALUES (1)", "SET GLOBAL gtid_mode=ON_PERMISSIVE", "INSERT INTO shop.a VALUES (2)",
		"SET GTID_NEXT='ANONYMOUS'; INSERT INTO shop.a VALUES (3); SET GTID_NEXT='AUTOMATIC'", "INSERT INTO shop.a VALUES (4)")
	got, err := collect(t, s, reader(t, s, nil), byGTID)
	f := change.FaultOf(err)
	if f == nil || f.Code != "BS-GTID-MODE" || f.Class != change.ClassPerson || f.Next == "" {
		t.Fatalf("want BS-GTID-MODE, got %v after %q", err, describeAll(got))
	}
	if len(got) > 2 {
		t.Errorf("read behind the transaction without a GTID: %q", describeAll(got))
	}
	s.Exec(t, "SET GLOBAL gtid_mode=OFF_PERMISSIVE", "INSERT INTO shop.a VALUES (5)", "SET GLOBAL gtid_mode=OFF", "INSERT INTO shop.a VALUES (6)",
		"SET GLOBAL gtid_mode=OFF_PERMISSIVE", "SET GLOBAL gtid_mode=ON_PERMISSIVE", "INSERT INTO shop.a VALUES (7)")
	if got, err = collect(t, s, reader(t, s, nil), byPosition); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, txn := range got {
		rows += len(txn.Rows)
	}
	if rows != 7 {
		t.Errorf("%d rows by position, want 7: %q", rows, describeAll(got))
	}
	s.Exec(t, "SET GLOBAL gtid_mode=ON") // From here on the source itself refuses to send what has no GTID, also by position.
	_, err = collect(t, s, reader(t, s, nil), byPosition)
	if f := change.FaultOf(err); f == nil || f.Code != "BS-GTID-MODE" || !strings.Contains(f.Next, "ON_PERMISSIVE") {
		t.Errorf("with gtid_mode=ON: %v", err)
	}
}

// S12: behind binlog.999999 comes binlog.1000000, which is smaller as text.
func TestFileNumbersOutgrowTheirSixDigits(t *testing.T) {
	for _, byGTID := range []bool{true, false} {
		t.Run(fmt.Sprintf("by GTID %v", byGTID), func(t *testing.T) {
			s := source(t, testmysql.SourceOptions())
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			renumber(t, s.DataDir)
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Exec(t, "CREATE TABLE shop.a (id INT PRIMARY KEY)")
			from := here(t, s, byGTID)
			s.Exec(t, "INSERT INTO shop.a VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO shop.a VALUES (2)")
			end := here(t, s, byGTID)
			if from.Pos.File != "binlog.999999" || end.Pos.File != "binlog.1000000" {
				t.Fatalf("the files are %s and %s", from.Pos.File, end.Pos.File)
			}
			got, err := collect(t, s, reader(t, s, nil), from)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for _, txn := range got {
				rows += len(txn.Rows)
			}
			if rows != 2 {
				t.Errorf("%d rows, want 2: %q", rows, describeAll(got))
			}
			s.Exec(t, "INSERT INTO shop.a VALUES (3)") // And from behind the seam.
			if got, err = collect(t, s, reader(t, s, nil), end); err != nil || len(got) != 1 {
				t.Errorf("%v, %q", err, describeAll(got))
			}
		})
	}
}

// renumber gives the newest file of a stopped server's log the number 999998: its next start begins 999999.
func renumber(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "binlog.0*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	slices.Sort(files)
	last := files[len(files)-1]
	if err := os.Rename(last, filepath.Join(dir, "binlog.999998")); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "binlog.index")
	text, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), filepath.Base(last), "binlog.999998"))
	if err := os.WriteFile(index, text, 0o640); err != nil {
		t.Fatal(err)
	}
}
