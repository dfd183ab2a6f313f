package testmysql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// A server's temporary folder takes 100 MB and more, and a test that is interrupted leaves it behind. So each holds
// a file that its process keeps locked: a folder with an unlocked one belongs to nobody and may go. Folders kept
// for a look have no such file.
const (
	tempPrefix = "binseal-server-"
	aliveName  = "in-use"
)

// temporaryDir makes a folder for a server and removes those that ended processes have left.
func temporaryDir(ctx context.Context, name string) (dir string, alive *os.File, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", nil, err
	}
	unlock, err := lockCache(ctx, cache) // Nobody may sweep between the making of the file and its locking.
	if err != nil {
		return "", nil, err
	}
	defer unlock()
	if err := sweep(os.TempDir()); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp("", tempPrefix+name+"-"); err != nil {
		return "", nil, err
	}
	if alive, err = os.Create(filepath.Join(dir, aliveName)); err != nil {
		return "", nil, err
	}
	return dir, alive, syscall.Flock(int(alive.Fd()), syscall.LOCK_EX)
}

// sweep removes the folders under root whose process has ended.
func sweep(root string) error {
	files, err := filepath.Glob(filepath.Join(root, tempPrefix+"*", aliveName))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			continue // Removed meanwhile, or another user's.
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			errs = append(errs, os.RemoveAll(filepath.Dir(file)))
		}
		f.Close()
	}
	return errors.Join(errs...)
}
