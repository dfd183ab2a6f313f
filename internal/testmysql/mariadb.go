package testmysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// EnvMariadbd is the environment variable that names a mariadbd to use instead of a download.
const EnvMariadbd = "BINSEAL_MARIADBD"

// mariaDB is MariaDB, 10.11 where it is downloaded.
var mariaDB = product{
	name: "MariaDB", env: EnvMariadbd, programs: []string{"mariadbd", "/usr/sbin/mariadbd"},
	howToGet: "set " + EnvMariadbd + " to the path of a mariadbd 10.6 or later, or put one on PATH; " + fromDebian,
	probe:    probeWith((*Install).readMariaDBVersion),
	downloaded: func(ctx context.Context, cache string) (*Install, error) {
		return mariadbArchive.installed(ctx, cache, "mariadbd", (*Install).readMariaDBVersion)
	},
	download:    func(ctx context.Context, cache string) error { return download(ctx, cache, mariadbArchive) },
	makeDataDir: (*Install).bootstrap,
	template:    "datadir-mariadb-",
}

// mariadbArchive is MariaDB 10.11 as Debian 12 has it: the server and what it links, and of the package around it only
// the plugins (file_key_management for an encrypted binary log).
var mariadbArchive = archive{folder: "mariadb", suite: "bookworm", packages: []string{"mariadb-server-core"}, alone: []string{"mariadb-server"}}

// bootstrapFiles make the system tables, in the order of mariadb-install-db.
var bootstrapFiles = []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql"}

// readMariaDBVersion refuses what is something else.
func (in *Install) readMariaDBVersion(ctx context.Context) error {
	_, text, err := in.banner(ctx)
	if err == nil && !strings.Contains(text, "MariaDB") {
		err = fmt.Errorf("%s is not a MariaDB server: %s", in.Mysqld, firstLine([]byte(text)))
	}
	return err
}

// bootstrap initialises a data directory. It does what mariadb-install-db does, whose shell script would
// start its programs without the private loader.
func (in *Install) bootstrap(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "mysql"), 0o700); err != nil {
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
	return in.runOnce(ctx, dir, io.MultiReader(input...), "--bootstrap", "--plugin-dir="+in.PluginDir, "--loose-enforce-storage-engine=",
		"--innodb-log-file-size=8M", "--aria-log-file-size=1M", "--innodb-flush-log-at-trx-commit=2", "--log-warnings=0", "--max-allowed-packet=8M", "--net-buffer-length=16K")
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
