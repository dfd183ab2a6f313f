package testmysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// EnvMariadbd is the environment variable that names a mariadbd to use instead of a download.
const EnvMariadbd = "BINSEAL_MARIADBD"

// howToGetMariaDB ends each error about a missing MariaDB server.
const howToGetMariaDB = "set " + EnvMariadbd + " to the path of a mariadbd 10.6 or later, or put one on PATH; " +
	"on Debian and its kin (apt-get, dpkg, network) 10.11 is downloaded into a private folder by itself"

// mariadbArchive is MariaDB 10.11 as Debian 12 has it: the server and what it links, and of the package around it only
// the plugins (file_key_management for an encrypted binary log).
var mariadbArchive = archive{folder: "mariadb", suite: "bookworm", packages: []string{"mariadb-server-core"}, alone: []string{"mariadb-server"}}

// bootstrapFiles make the system tables, in the order of mariadb-install-db.
var bootstrapFiles = []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql"}

var fetchedMariaDB struct {
	mu      sync.Mutex // Guards install.
	install *Install
}

// fetchMariaDB is Fetch for MariaDB: BINSEAL_MARIADBD, a mariadbd on PATH, the private download, a fresh download.
func fetchMariaDB(ctx context.Context) (*Install, error) {
	fetchedMariaDB.mu.Lock()
	defer fetchedMariaDB.mu.Unlock()
	if fetchedMariaDB.install != nil {
		return fetchedMariaDB.install, nil
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
	in, err := findMariaDB(ctx, cache)
	if err != nil {
		return nil, fmt.Errorf("no MariaDB server for tests: %w (%s)", err, howToGetMariaDB)
	}
	if err := in.bootstrap(ctx, cache); err != nil {
		return nil, fmt.Errorf("initialise a data directory with mariadbd %s: %w", in.Version, err)
	}
	fetchedMariaDB.install = in
	return in, nil
}

// findMariaDB picks the server in the order that fetchMariaDB documents.
func findMariaDB(ctx context.Context, cache string) (*Install, error) {
	if path := os.Getenv(EnvMariadbd); path != "" {
		in, err := probeMariaDB(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", EnvMariadbd, err)
		}
		return in, nil
	}
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} { // sbin is not on everybody's PATH.
		if path, err := exec.LookPath(name); err == nil {
			if in, err := probeMariaDB(ctx, path); err == nil {
				return in, nil
			}
		}
	}
	if in, err := downloadedMariaDB(ctx, cache); err == nil {
		return in, nil
	}
	if err := download(ctx, cache, mariadbArchive); err != nil {
		return nil, err
	}
	return downloadedMariaDB(ctx, cache)
}

// probeMariaDB asks a machine's own mariadbd for its version and folders.
func probeMariaDB(ctx context.Context, path string) (*Install, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	in := &Install{Mysqld: path}
	if err := in.readMariaDBVersion(ctx); err != nil {
		return nil, err
	}
	return in, in.readFolders(ctx)
}

func downloadedMariaDB(ctx context.Context, cache string) (*Install, error) {
	in, err := mariadbArchive.installed(cache, "mariadbd")
	if err != nil {
		return nil, err
	}
	return in, in.readMariaDBVersion(ctx)
}

// readMariaDBVersion runs `mariadbd --version` and refuses what is something else.
func (in *Install) readMariaDBVersion(ctx context.Context) error {
	out, err := in.command(ctx, "", "--no-defaults", "--version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --version: %w: %s", in.Mysqld, err, firstLine(out))
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil || !strings.Contains(string(out), "MariaDB") {
		return fmt.Errorf("%s is not a MariaDB server: %s", in.Mysqld, firstLine(out))
	}
	in.Version = strings.Join(m[1:], ".")
	return nil
}

// bootstrap makes the data directory that servers copy. It does what mariadb-install-db does, whose shell script would
// start its programs without the private loader.
func (in *Install) bootstrap(ctx context.Context, cache string) error {
	in.template = filepath.Join(cache, "datadir-mariadb-"+in.Version)
	if _, err := os.Stat(in.template); err == nil {
		return nil
	}
	fresh := in.template + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(fresh, "mysql"), 0o700); err != nil {
		return err
	}
	// Root may come without a password, over the socket only: see flags.
	input := []io.Reader{strings.NewReader("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")}
	for _, name := range bootstrapFiles {
		f, err := os.Open(filepath.Join(in.ShareDir, name))
		if errors.Is(err, os.ErrNotExist) { // Later releases call them mariadb_….
			f, err = os.Open(filepath.Join(in.ShareDir, strings.Replace(name, "mysql_", "mariadb_", 1)))
		}
		if err != nil {
			return err
		}
		defer f.Close()
		input = append(input, f)
	}
	// No account may be without a name: such a one would win over '%' on this host.
	input = append(input, strings.NewReader("\nDELETE FROM global_priv WHERE User='' OR (User='root' AND Host<>'localhost');\n"))
	args := append(in.folders(), "--bootstrap", "--datadir="+fresh, "--plugin-dir="+in.PluginDir, "--loose-enforce-storage-engine=",
		"--innodb-log-file-size=8M", "--aria-log-file-size=1M", "--innodb-flush-log-at-trx-commit=2", "--log-warnings=0", "--max-allowed-packet=8M", "--net-buffer-length=16K")
	cmd := in.command(ctx, "", args...)
	cmd.Stdin = io.MultiReader(input...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 15))
	}
	return os.Rename(fresh, in.template)
}

// mariadbFlags are the options in the words of MariaDB, where GTIDs are always on.
func (o Options) mariadbFlags() []string {
	args := []string{
		fmt.Sprintf("--server-id=%d", o.ServerID),
		fmt.Sprintf("--innodb-buffer-pool-size=%dM", o.BufferPoolMB),
		"--performance-schema=" + onOff(o.PerformanceSchema),
		"--require-secure-transport=" + onOff(o.RequireSecureTransport),
		"--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4",
		"--innodb-log-file-size=128M", // A tenth of it bounds a LOB.
		"--aria-log-file-size=8M",
	}
	if !o.Durable {
		args = append(args, "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--innodb-doublewrite=OFF")
	}
	if !o.Binlog {
		return args
	}
	args = append(args, "--log-bin=binlog", "--binlog-format=ROW")
	if o.RowMetadata != "" {
		args = append(args, "--binlog-row-metadata="+o.RowMetadata)
	}
	return args
}

// writeMariaDBKeys writes the file that the plugin file_key_management takes its key from.
func writeMariaDBKeys(dir string) error {
	return os.WriteFile(filepath.Join(dir, "keys"), []byte("1;"+strings.Repeat("0123456789abcdef", 4)+"\n"), 0o600)
}

// mariadbKeyring are the flags of an encrypted binary log.
func mariadbKeyring(dir string) []string {
	return []string{"--plugin-load-add=file_key_management", "--file-key-management-filename=" + filepath.Join(dir, "keys"), "--encrypt-binlog=ON"}
}

// MariaDBSourceOptions describe a source of MariaDB as most tests want it: row-based binary log, encrypted on disk,
// TLS, and no more metadata in the log than by default.
func MariaDBSourceOptions() Options {
	return Options{Name: "mariadb", Kind: MariaDB, ServerID: 101, Binlog: true, GTID: true, BinlogEncryption: true}
}
