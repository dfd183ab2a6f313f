package testmysql

import (
	"fmt"
	"path/filepath"
)

// Kind is a server's product and age.
type Kind string

// The kinds of servers.
const (
	Newest  Kind = ""        // See newestMySQL.
	MariaDB Kind = "mariadb" // See mariaDB.
	MySQL56 Kind = "mysql56" // See mysql56.
)

// Options say what kind of server to start. The zero value is a lean server with TLS and without a binary log,
// GTIDs or encryption at rest.
type Options struct {
	Name     string // For messages and the folder's name; default "mysql".
	Kind     Kind
	ServerID uint32 // @@server_id; default 1.
	GTID     bool   // gtid_mode=ON; needs Binlog.
	Binlog   bool   // Row format, files named binlog.NNNNNN.
	// RowMetadata is @@binlog_row_metadata, "MINIMAL" or "FULL"; "" leaves the server's default, MINIMAL.
	RowMetadata string
	// BinlogEncryption encrypts the binary log's files, Encrypted also tables (by default), redo and undo logs.
	// Both bring a keyring (component_keyring_file).
	BinlogEncryption, Encrypted bool
	RequireSecureTransport      bool // Refuse TCP sessions without TLS.
	NoTLS                       bool // Offer no TLS at all.
	LocalInfile                 bool // Take LOAD DATA LOCAL. MySQL's default is not to.

	// CA signs the server's certificate; nil makes one per server. Certificate replaces the certificate for
	// localhost and 127.0.0.1 that the CA would issue, for tests of expired ones and of wrong names.
	CA          *CA
	Certificate *Certificate

	BufferPoolMB      int  // innodb_buffer_pool_size in MiB; default 128.
	PerformanceSchema bool // Off by default: it costs about 200 MB and 10 % of the speed.
	// Durable syncs at each commit (sync_binlog=1, innodb_flush_log_at_trx_commit=1, doublewrite). Without it a
	// SIGKILL of the server still loses nothing, only a crash of the machine would.
	Durable        bool
	LowerCaseNames bool // lower_case_table_names=1, which a data directory has from its making: some seconds more. Newest only.
	// Extra mysqld flags, such as "--max-allowed-packet=64M". They come last and win.
	Extra []string
	// Dir is the folder of the server's files, which must not exist yet; "" takes a temporary one.
	Dir string
}

// SourceOptions describe a source as the demo and most tests want it: row-based binary log with GTIDs, encrypted
// on disk, TLS.
func SourceOptions() Options {
	return Options{Name: "source", ServerID: 101, GTID: true, Binlog: true, RowMetadata: "FULL", BinlogEncryption: true}
}

// Source56Options describe a source of MySQL 5.6, which encrypts nothing on disk and tells no column names in its log.
// With GTIDs it logs what it replicates itself, as 5.6 demands.
func Source56Options(gtid bool) Options {
	return Options{Name: "source56", Kind: MySQL56, ServerID: 101, GTID: gtid, Binlog: true}
}

// TargetOptions describe a target like an encrypted Aurora cluster: it refuses plaintext connections and
// encrypts tables and logs at rest. It has no binary log, as Aurora by default.
func TargetOptions() Options {
	return Options{Name: "target", ServerID: 201, Encrypted: true, RequireSecureTransport: true, LocalInfile: true}
}

// ContraryTargetOptions describe a target whose settings differ from a source's wherever that could spoil data.
func ContraryTargetOptions() Options {
	o := TargetOptions()
	o.Extra = []string{"--max-allowed-packet=64M", "--character-set-server=latin1", "--default-time-zone=-07:30",
		"--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES", "--auto-increment-increment=7", "--explicit-defaults-for-timestamp=OFF"}
	return o
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "mysql"
	}
	if o.ServerID == 0 {
		o.ServerID = 1
	}
	if o.BufferPoolMB == 0 {
		o.BufferPoolMB = 128
	}
	return o
}

// lowerCaseNames is the flag that a data directory must be made with and started with.
const lowerCaseNames = "--lower-case-table-names=1"

func (o Options) keyring() bool { return o.Encrypted || o.BinlogEncryption }

// kindFlags are the flags of the server's kind, apart from folders, certificates and the port.
func (o Options) kindFlags() []string {
	switch o.Kind {
	case MariaDB:
		return o.mariadbFlags()
	case MySQL56:
		return o.flags56()
	}
	return o.flags()
}

// flags turn the options into flags of a newest mysqld, apart from folders, certificates and the port.
func (o Options) flags() []string {
	args := []string{
		fmt.Sprintf("--server-id=%d", o.ServerID),
		fmt.Sprintf("--innodb-buffer-pool-size=%dM", o.BufferPoolMB),
		"--performance-schema=" + onOff(o.PerformanceSchema),
		"--require-secure-transport=" + onOff(o.RequireSecureTransport), "--local-infile=" + onOff(o.LocalInfile),
		"--default-table-encryption=" + onOff(o.Encrypted),
		"--innodb-redo-log-encrypt=" + onOff(o.Encrypted),
		"--innodb-undo-log-encrypt=" + onOff(o.Encrypted),
		"--loose-innodb-redo-log-capacity=256M",
		"--loose-mysqlx=OFF", "--bind-address=127.0.0.1",
		// Without names, root@localhost is reachable over the socket only, so an empty password is safe.
		"--skip-name-resolve",
		"--log-error-verbosity=2",
	}
	if o.LowerCaseNames {
		args = append(args, lowerCaseNames)
	}
	if !o.Durable {
		args = append(args, "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--innodb-doublewrite=OFF")
	}
	if !o.Binlog {
		return append(args, "--skip-log-bin")
	}
	args = append(args, "--log-bin=binlog", "--binlog-encryption="+onOff(o.BinlogEncryption || o.Encrypted))
	if o.GTID {
		args = append(args, "--gtid-mode=ON", "--enforce-gtid-consistency=ON")
	}
	if o.RowMetadata != "" {
		args = append(args, "--binlog-row-metadata="+o.RowMetadata)
	}
	return args
}

// files are the flags that name the server's own files under its folder.
func (o Options) files(dir, socket string) []string {
	args := []string{
		"--datadir=" + filepath.Join(dir, "data"),
		// Not the machine's: a MariaDB or MySQL 5.6 that starts removes there what looks like a temporary table, whose
		// soever it is.
		"--tmpdir=" + filepath.Join(dir, "tmp"),
		"--socket=" + socket,
		"--log-error=" + filepath.Join(dir, "error.log"),
		"--pid-file=" + filepath.Join(dir, "mysqld.pid"),
		"--plugin-dir=" + filepath.Join(dir, "plugin"),
	}
	if o.keyring() && o.Kind == MariaDB {
		args = append(args, mariadbKeyring(dir)...)
	}
	if o.NoTLS && o.Kind != Newest {
		return append(args, "--skip-ssl")
	}
	if o.NoTLS {
		return append(args, "--tls-version=", "--loose-auto-generate-certs=OFF")
	}
	return append(args,
		"--ssl-ca="+filepath.Join(dir, "ca.pem"),
		"--ssl-cert="+filepath.Join(dir, "server-cert.pem"),
		"--ssl-key="+filepath.Join(dir, "server-key.pem"))
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}
