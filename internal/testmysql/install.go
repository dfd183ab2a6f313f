package testmysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Environment variables that Fetch reads.
const (
	EnvMysqld = "BINSEAL_MYSQLD" // Path of a mysqld to use instead of a download.
	EnvCache  = "BINSEAL_CACHE"  // Folder of the download; default os.UserCacheDir()/binseal.
)

// Install is a usable mysqld: where the program is, how it is started and what belongs to it.
// It is immutable and safe for concurrent use.
type Install struct {
	Version   string // As `mysqld --version` names it, "9.7.4".
	Mysqld    string // The server's program.
	BaseDir   string
	ShareDir  string // Folder of the error messages.
	PluginDir string

	// loader and libPath are set for the private download: its libraries are newer than the machine's, so the
	// server runs through its own dynamic loader.
	loader, libPath string
	env             []string // Added to the server's environment.
	template        string   // An initialised data directory, copied for each server.
}

// product is a kind of server: where it is looked for, and how it gets a data directory.
type product struct {
	name     string
	env      string   // Environment variable that names a program to use instead of any other.
	programs []string // Looked for on the machine.
	howToGet string   // Ends each error about a missing server: a test without one fails and says what to do.

	probe      func(ctx context.Context, path string) (*Install, error)  // Describes a program, or says why it is of no use.
	downloaded func(ctx context.Context, cache string) (*Install, error) // Describes the copy in the cache.
	download   func(ctx context.Context, cache string) error
	// makeDataDir initialises the data directory that servers copy; nil where the program comes with one.
	makeDataDir func(in *Install, ctx context.Context, dir string) error
	template    string // Begin of the name under which the cache keeps that directory.
}

var products = map[Kind]product{Newest: newestMySQL, MariaDB: mariaDB, MySQL56: mysql56}

// newestMySQL is MySQL 8.0 or later, 9.7 where it is downloaded.
var newestMySQL = product{
	name: "MySQL", env: EnvMysqld, programs: []string{"mysqld", "/usr/sbin/mysqld"}, // sbin is not on everybody's PATH.
	howToGet: "set " + EnvMysqld + " to the path of a mysqld 8.0 or later, or put one on PATH; " + fromDebian,
	probe:    probeWith((*Install).readVersion),
	downloaded: func(ctx context.Context, cache string) (*Install, error) {
		return mysqlArchive.installed(ctx, cache, "mysqld", (*Install).readVersion)
	},
	download: func(ctx context.Context, cache string) error { return download(ctx, cache, mysqlArchive) },
	makeDataDir: func(in *Install, ctx context.Context, dir string) error {
		return in.makeDataDir(ctx, dir)
	},
	template: "datadir-",
}

// fromDebian ends the advice for servers that Debian has.
const fromDebian = "on Debian and its kin (apt-get, dpkg, network) it is downloaded into a private folder by itself"

// fetched remembers what fetch found: each look runs the server's program.
var fetched = struct {
	mu       sync.Mutex // Guards installs.
	installs map[Kind]*Install
}{installs: map[Kind]*Install{}}

// Fetch finds or downloads the newest MySQL: see fetch.
func Fetch(ctx context.Context) (*Install, error) { return fetch(ctx, Newest) }

// fetch finds or downloads a server and initialises the data directory that later servers copy, once per process. The
// order is: the environment variable of its kind, a fitting program on PATH, the private copy in the cache folder, a
// fresh download. The work is done once per cache: other processes wait on a file lock. What it cannot get, it names
// with a way to get it.
func fetch(ctx context.Context, kind Kind) (*Install, error) {
	fetched.mu.Lock()
	defer fetched.mu.Unlock()
	if in := fetched.installs[kind]; in != nil {
		return in, nil
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
	p := products[kind]
	in, err := p.find(ctx, cache)
	if err != nil {
		return nil, fmt.Errorf("no %s server for tests: %w (%s)", p.name, err, p.howToGet)
	}
	if p.makeDataDir != nil {
		if err := p.initialise(ctx, in, cache); err != nil {
			return nil, fmt.Errorf("initialise a data directory with %s: %w", in.Mysqld, err)
		}
	}
	fetched.installs[kind] = in
	return in, nil
}

// CacheDir is the folder that downloads and the initialised data directory are kept in.
func CacheDir() (string, error) {
	if dir := os.Getenv(EnvCache); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder for servers: %w (name one with %s)", err, EnvCache)
	}
	return filepath.Join(dir, "binseal"), nil
}

// find picks the server in the order that fetch documents.
func (p product) find(ctx context.Context, cache string) (*Install, error) {
	if path := os.Getenv(p.env); path != "" {
		in, err := p.probe(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.env, err)
		}
		return in, nil
	}
	for _, name := range p.programs {
		if path, err := exec.LookPath(name); err == nil {
			if in, err := p.probe(ctx, path); err == nil {
				return in, nil
			}
		}
	}
	if in, err := p.downloaded(ctx, cache); err == nil {
		return in, nil
	}
	if err := p.download(ctx, cache); err != nil {
		return nil, err
	}
	return p.downloaded(ctx, cache)
}

// initialise makes the data directory that servers copy; 3 to 5 s, once per cache and server version.
func (p product) initialise(ctx context.Context, in *Install, cache string) error {
	in.template = filepath.Join(cache, p.template+in.Version)
	if _, err := os.Stat(in.template); err == nil {
		return nil
	}
	fresh := in.template + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := p.makeDataDir(in, ctx, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, in.template)
}

// versionText finds the number in `mysqld  Ver 9.7.4-2 for Linux on x86_64`.
var versionText = regexp.MustCompile(`Ver (\d+)\.(\d+)\.(\d+)`)

// probeWith asks a machine's own program for its version, by a reader that refuses what is of no use, and its folders.
func probeWith(read func(*Install, context.Context) error) func(context.Context, string) (*Install, error) {
	return func(ctx context.Context, path string) (*Install, error) {
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		in := &Install{Mysqld: path}
		if err := read(in, ctx); err != nil {
			return nil, err
		}
		return in, in.readFolders(ctx)
	}
}

// readFolders asks the program where it looks for its files.
func (in *Install) readFolders(ctx context.Context) error {
	help, err := in.command(ctx, "", "--no-defaults", "--verbose", "--help").Output()
	if err != nil {
		return fmt.Errorf("%s --verbose --help: %w", in.Mysqld, err)
	}
	for line := range strings.Lines(string(help)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		switch fields[0] {
		case "basedir":
			in.BaseDir = fields[1]
		case "plugin-dir":
			in.PluginDir = fields[1]
		case "lc-messages-dir":
			in.ShareDir = fields[1]
		}
	}
	return nil
}

// banner runs the program with --version and keeps the number; its three parts and the whole text come back.
func (in *Install) banner(ctx context.Context) (parts []string, text string, err error) {
	out, err := in.command(ctx, "", "--no-defaults", "--version").CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("%s --version: %w: %s", in.Mysqld, err, firstLine(out))
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil {
		return nil, "", fmt.Errorf("%s is no server: %s", in.Mysqld, firstLine(out))
	}
	in.Version = strings.Join(m[1:], ".")
	return m[1:], string(out), nil
}

// readVersion refuses what is not MySQL 8.0 or later.
func (in *Install) readVersion(ctx context.Context) error {
	parts, text, err := in.banner(ctx)
	if err != nil {
		return err
	}
	if strings.Contains(text, "MariaDB") {
		return fmt.Errorf("%s is not a MySQL server: %s", in.Mysqld, firstLine([]byte(text)))
	}
	if major, err := strconv.Atoi(parts[0]); err != nil || major < 8 {
		return fmt.Errorf("%s is MySQL %s, 8.0 or later is needed", in.Mysqld, in.Version)
	}
	return nil
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// command builds a call of the server's program. argv0 is what the server believes its own path to be: it looks
// for the component manifest mysqld.my beside it, so each server gets its own. Empty means the program's path.
func (in *Install) command(ctx context.Context, argv0 string, args ...string) *exec.Cmd {
	if argv0 == "" {
		argv0 = in.Mysqld
	}
	if in.loader == "" {
		cmd := exec.CommandContext(ctx, in.Mysqld, args...)
		cmd.Args[0] = argv0
		cmd.Env = append(os.Environ(), in.env...)
		return cmd
	}
	load := []string{"--library-path", in.libPath, "--argv0", argv0, in.Mysqld}
	return exec.CommandContext(ctx, in.loader, append(load, args...)...)
}

// folders are the flags that tell the server where its own files are.
func (in *Install) folders() []string {
	args := []string{"--no-defaults", "--secure-file-priv="} // The default folder of a package need not exist.
	if in.BaseDir != "" {
		args = append(args, "--basedir="+in.BaseDir)
	}
	if in.ShareDir != "" {
		args = append(args, "--lc-messages-dir="+in.ShareDir)
	}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root") // It refuses to run as root unless told so.
	}
	return args
}

// makeDataDir initialises a data directory.
func (in *Install) makeDataDir(ctx context.Context, dir string, flags ...string) error {
	args := []string{"--initialize-insecure",
		"--loose-innodb-redo-log-capacity=8M", // Bytes that each copy pays for.
		"--loose-auto-generate-certs=OFF", "--loose-sha256-password-auto-generate-rsa-keys=OFF",
		"--loose-caching-sha2-password-auto-generate-rsa-keys=OFF",
		"--innodb-flush-log-at-trx-commit=2", "--log-error-verbosity=1"}
	if err := in.runOnce(ctx, dir, nil, append(args, flags...)...); err != nil {
		return err
	}
	// Two servers with one auto.cnf would share a server_uuid.
	if err := os.Remove(filepath.Join(dir, "auto.cnf")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// runOnce runs the server's program on a data directory until it ends by itself, with a folder of its own for temporary
// files: see Options.files.
func (in *Install) runOnce(ctx context.Context, dir string, input io.Reader, args ...string) error {
	temp, err := os.MkdirTemp("", tempPrefix+"init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := in.command(ctx, "", append(append(in.folders(), "--datadir="+dir, "--tmpdir="+temp), args...)...)
	cmd.Stdin = input
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 15))
	}
	return nil
}

// lockCache keeps other processes out of the cache, and makes it when it is not there.
func lockCache(ctx context.Context, cache string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder for servers: %w (name another one with %s)", err, EnvCache)
	}
	unlock, err = lockFile(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock of the server cache: %w", err)
	}
	return unlock, nil
}

// lockFile takes an exclusive lock that ends with the process at the latest.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond): // A download takes a minute: no need to ask more often.
		}
	}
}
