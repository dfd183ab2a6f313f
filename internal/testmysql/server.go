// Package testmysql runs real mysqld processes for tests, the demo and the benchmarks: a source with a binary
// log, a target that is encrypted at rest and refuses plaintext, each with a certificate authority of its own.
//
// Fetch finds a server or downloads one into a cache folder; Start runs one on a fresh data directory within about
// a second; Compare holds the tables of two servers against each other. The servers end with the process that
// started them. The package never touches a server of the machine, and imports nothing of the project.
package testmysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Time limits of a server's life.
const (
	startPatience = 60 * time.Second // A recovery after SIGKILL on a busy machine; usually 1 s.
	stopPatience  = 20 * time.Second // A clean shutdown flushes the buffer pool; usually 1 s.
)

// Server is one mysqld on its own data directory, reachable on 127.0.0.1. Its methods are safe for concurrent
// use, except that Kill, Stop, Restart and Close must not overlap each other. Close it in the end.
type Server struct {
	Name    string
	Kind    Kind
	Addr    string // 127.0.0.1:port, the same over restarts.
	Port    int
	Dir     string // Everything of the server, DataDir included.
	DataDir string
	CAFile  string // Certificate of the authority that signed the server's; "" with NoTLS.
	CA      *CA    // Nil with NoTLS.
	Socket  string // Unix socket, for root.
	Version string

	install *Install
	options Options
	db      *sql.DB
	alive   *os.File // Locked while the folder is in use; nil when the caller named the folder. See temporaryDir.

	mu      sync.Mutex // Guards process.
	process *process
}

// Start runs a server and returns once it answers. On failure the error holds the tail of the server's log.
func Start(ctx context.Context, o Options) (*Server, error) {
	o = o.withDefaults()
	in, err := fetch(ctx, o.Kind)
	if err != nil {
		return nil, err
	}
	s := &Server{Name: o.Name, Kind: o.Kind, Version: in.Version, install: in, options: o, Dir: o.Dir}
	if err := s.makeDir(ctx); err != nil {
		return nil, fmt.Errorf("folder of server %s: %w", o.Name, err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("folder of server %s: %w", o.Name, errors.Join(err, s.removeFiles()))
	}
	for attempt := 1; ; attempt++ {
		s.setPort(freePort())
		err = s.launch(ctx)
		if err == nil || attempt == 10 || !s.portTaken() {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start server %s: %w", o.Name, errors.Join(err, s.removeFiles()))
	}
	if o.Kind == MySQL56 {
		// Its data directory has accounts without a password that TCP reaches.
		if err := s.Run(ctx, "SET sql_log_bin = 0", "DELETE FROM mysql.user WHERE User <> 'root' OR Host <> 'localhost'", "FLUSH PRIVILEGES", "SET sql_log_bin = 1"); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if o.Encrypted {
		// The template was made without a keyring, so its dictionary is still in plaintext.
		if err := s.Run(ctx, "ALTER TABLESPACE mysql ENCRYPTION='Y'"); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// prepare fills the server's folder: data directory, certificates, keyring.
func (s *Server) prepare(ctx context.Context) error {
	s.DataDir, s.Socket = filepath.Join(s.Dir, "data"), filepath.Join(s.Dir, "sock")
	if len(s.Socket) > 100 { // sockaddr_un holds 107 bytes.
		short, err := os.MkdirTemp("/tmp", "bs-")
		if err != nil {
			return err
		}
		s.Socket = filepath.Join(short, "sock")
	}
	if err := os.Mkdir(filepath.Join(s.Dir, "tmp"), 0o700); err != nil {
		return err
	}
	if s.options.LowerCaseNames {
		if err := s.install.makeDataDir(ctx, s.DataDir, lowerCaseNames); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	} else if err := os.CopyFS(s.DataDir, os.DirFS(s.install.template)); err != nil {
		return fmt.Errorf("copy of the initialised data directory: %w", err)
	}
	if err := s.writeCertificates(); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if err := s.writePluginDir(); err != nil {
		return fmt.Errorf("plugin folder: %w", err)
	}
	var err error
	s.db, err = s.openRoot()
	return err
}

// makeDir makes the server's folder, or fails when it is there already.
func (s *Server) makeDir(ctx context.Context) (err error) {
	if s.Dir == "" {
		s.Dir, s.alive, err = temporaryDir(ctx, s.Name)
		return err
	}
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return err
	}
	return os.Mkdir(s.Dir, 0o700)
}

// writeCertificates gives the server an authority and a certificate.
func (s *Server) writeCertificates() error {
	if s.options.NoTLS {
		return nil
	}
	var err error
	if s.CA = s.options.CA; s.CA == nil {
		newCA := NewCA
		if s.LegacyTLS() {
			newCA = NewRSACA // Its suites are RSA only.
		}
		if s.CA, err = newCA("binseal test CA of " + s.Name); err != nil {
			return err
		}
	}
	cert := s.options.Certificate
	if cert == nil {
		if cert, err = s.CA.Issue(IssueOptions{CommonName: s.Name}); err != nil {
			return err
		}
	}
	if s.CAFile, err = s.CA.Write(s.Dir); err != nil {
		return err
	}
	_, _, err = cert.Write(s.Dir, "server")
	return err
}

// writePluginDir links the install's plugins into a folder of the server's own, because the keyring component
// reads its settings beside its library. The manifest that loads it lies beside what the server takes for its
// own program (see Install.command).
func (s *Server) writePluginDir() error {
	dir := filepath.Join(s.Dir, "plugin")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	libs, err := filepath.Glob(filepath.Join(s.install.PluginDir, "*.so"))
	if err != nil {
		return err
	}
	for _, lib := range libs {
		if err := os.Symlink(lib, filepath.Join(dir, filepath.Base(lib))); err != nil {
			return err
		}
	}
	if !s.options.keyring() {
		return nil
	}
	if s.Kind == MariaDB {
		return writeMariaDBKeys(s.Dir)
	}
	keyring := fmt.Sprintf(`{"path": %q, "read_only": false}`, filepath.Join(s.Dir, "keyring"))
	if err := os.WriteFile(filepath.Join(dir, "component_keyring_file.cnf"), []byte(keyring), 0o400); err != nil {
		return err
	}
	manifest := `{"components": "file://component_keyring_file"}`
	return os.WriteFile(filepath.Join(s.Dir, "mysqld.my"), []byte(manifest), 0o444)
}

// openRoot opens root over the unix socket: it works whatever the server's TLS is.
func (s *Server) openRoot() (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr = "root", "unix", s.Socket
	cfg.MultiStatements, cfg.ParseTime, cfg.Loc = true, false, time.UTC
	cfg.Logger = silent{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// silent drops the driver's complaints about connections that a test broke on purpose.
type silent struct{}

func (silent) Print(...any) {}

// launch starts the program and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	logged := s.logSize()
	args := append(s.install.folders(), s.options.files(s.Dir, s.Socket)...)
	args = append(args, s.options.kindFlags()...)
	args = append(args, fmt.Sprintf("--port=%d", s.Port))
	args = append(args, s.options.Extra...)
	// The server outlives ctx: that bounds the start only.
	p, err := spawn(s.install.command(context.WithoutCancel(ctx), filepath.Join(s.Dir, "mysqld"), args...))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		if err = s.db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("mysqld ended: %w; its log ends with:\n%s", p.err, s.logTail(logged))
		case <-ctx.Done():
			p.kill()
			return fmt.Errorf("mysqld does not answer: %w; its log ends with:\n%s", err, s.logTail(logged))
		case <-time.After(20 * time.Millisecond): // A start takes about a second.
		}
	}
}

// DB is root's pool of connections, over the unix socket, multiple statements allowed. It stays usable over
// restarts of the server and is closed by Close.
func (s *Server) DB() *sql.DB { return s.db }

// RootDSN is a go-sql-driver DSN for root over the unix socket.
func (s *Server) RootDSN() string { return "root@unix(" + s.Socket + ")/?multiStatements=true" }

// TLSConfig verifies the server as a client should: its own CA, the name localhost, TLS 1.2 at least; TLS 1.0 for one
// of LegacyTLS.
func (s *Server) TLSConfig() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.CA.Cert)
	conf := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if s.LegacyTLS() {
		conf.MinVersion = tls.VersionTLS10
		conf.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	}
	return conf
}

// LegacyTLS reports whether the server speaks TLS 1.0 only, for which a config says tls.legacy.
func (s *Server) LegacyTLS() bool { return s.Kind == MySQL56 }

// Open opens a pool for an account over TCP and verified TLS (plain TCP with NoTLS), multiple statements allowed.
// The caller closes it.
func (s *Server) Open(user, password string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = user, password, "tcp", s.Addr
	cfg.MultiStatements, cfg.Loc = true, time.UTC
	cfg.Logger = silent{}
	if s.CA != nil {
		cfg.TLS = s.TLSConfig()
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// PID is the process id of the server's latest run.
func (s *Server) PID() int { return s.current().pid }

// Alive reports whether the server's program runs (a paused one does).
func (s *Server) Alive() bool { return !s.current().ended() }

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Kill ends the server with SIGKILL, as a crash would, and waits for its end.
func (s *Server) Kill() { s.current().kill() }

// Pause freezes the server with SIGSTOP: its connections stay open and say nothing. It returns when every thread
// has stopped.
func (s *Server) Pause() error {
	p := s.current()
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return waitStopped(p.pid)
}

// Resume ends a Pause.
func (s *Server) Resume() error { return s.current().signal(syscall.SIGCONT) }

// Stop shuts the server down cleanly; its data stays for Restart.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.current().stop(ctx, stopPatience); err != nil {
		return fmt.Errorf("stop server %s: %w", s.Name, err)
	}
	return nil
}

// Restart starts the server again on its data directory and port, with further flags; one that still runs is stopped
// first.
func (s *Server) Restart(ctx context.Context, extra ...string) error {
	s.options.Extra = append(s.options.Extra, extra...)
	if err := s.Stop(ctx); err != nil {
		return err
	}
	var err error
	for range 10 { // An outgoing connection of somebody may hold the port for a moment.
		if err = s.launch(ctx); err == nil || !s.portTaken() {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("restart server %s: %w", s.Name, err)
	}
	return nil
}

// Close ends the server at once and removes its folder.
func (s *Server) Close() error {
	s.Kill()
	return s.removeFiles()
}

// Abandon ends the server at once and keeps its folder, for a look after a failure.
func (s *Server) Abandon() error {
	s.Kill()
	_ = s.db.Close() // It complains of sessions that the killed server has dropped.
	if s.alive == nil {
		return nil
	}
	defer s.alive.Close()
	return os.Remove(s.alive.Name()) // Without it, nobody removes the folder.
}

func (s *Server) removeFiles() (err error) {
	if s.db != nil {
		_ = s.db.Close() // It complains of sessions that the killed server has dropped.
	}
	if filepath.Base(s.Socket) == "sock" && filepath.Dir(s.Socket) != s.Dir {
		err = os.RemoveAll(filepath.Dir(s.Socket))
	}
	err = errors.Join(err, os.RemoveAll(s.Dir))
	if s.alive != nil {
		err = errors.Join(err, s.alive.Close())
	}
	return err
}

func (s *Server) setPort(port int) {
	s.Port, s.Addr = port, fmt.Sprintf("127.0.0.1:%d", port)
}

// freePort picks a port below the range that the kernel gives to outgoing connections (from 32768 on Linux), so
// that a killed server finds its port free again.
func freePort() int {
	for range 100 {
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	return 0 // The server then fails with a message of its own.
}

// portTaken reports whether the last start failed because somebody else has the port.
func (s *Server) portTaken() bool { return strings.Contains(s.logTail(0), "Address already in use") }

func (s *Server) logPath() string { return filepath.Join(s.Dir, "error.log") }

func (s *Server) logSize() int64 {
	info, err := os.Stat(s.logPath())
	if err != nil {
		return 0
	}
	return info.Size()
}

// logTail is the end of the server's log, not from before the offset.
func (s *Server) logTail(from int64) string {
	text, err := os.ReadFile(s.logPath())
	if err != nil || int64(len(text)) <= from {
		return "(nothing)"
	}
	return lastLines(text[from:], 15)
}
