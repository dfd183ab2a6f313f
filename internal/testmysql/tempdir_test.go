package testmysql

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSweepTakesOnlyWhatNobodyUses(t *testing.T) {
	root := t.TempDir()
	folder := func(name string, inUse bool) *os.File {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if !inUse {
			return nil
		}
		f, err := os.Create(filepath.Join(dir, aliveName))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	used := folder(tempPrefix+"used-1", true)
	defer used.Close()
	if err := syscall.Flock(int(used.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	folder(tempPrefix+"left-2", true).Close()
	folder(tempPrefix+"kept-3", false)
	folder("somebody-elses", true).Close()

	if err := sweep(root); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{tempPrefix + "kept-3", tempPrefix + "used-1", "somebody-elses"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}
