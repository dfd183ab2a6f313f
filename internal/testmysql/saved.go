package testmysql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// SaveData shuts the server down, keeps a copy of its data directory for RestoreData, and starts it again. Its keyring
// does not change meanwhile, so what is encrypted stays readable.
func (s *Server) SaveData(ctx context.Context) error {
	return s.betweenRuns(ctx, func() error {
		if err := os.RemoveAll(s.savedDir()); err != nil {
			return err
		}
		return os.CopyFS(s.savedDir(), os.DirFS(s.DataDir))
	})
}

// RestoreData shuts the server down, puts the data directory back as SaveData found it, and starts the server again.
func (s *Server) RestoreData(ctx context.Context) error {
	return s.betweenRuns(ctx, func() error {
		if _, err := os.Stat(s.savedDir()); err != nil {
			return err
		}
		if err := os.RemoveAll(s.DataDir); err != nil {
			return err
		}
		return os.CopyFS(s.DataDir, os.DirFS(s.savedDir()))
	})
}

func (s *Server) savedDir() string { return filepath.Join(s.Dir, "saved") }

// betweenRuns does something with the files of the server while it is down.
func (s *Server) betweenRuns(ctx context.Context, do func() error) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	if err := do(); err != nil {
		return fmt.Errorf("data directory of server %s: %w", s.Name, err)
	}
	return s.Restart(ctx)
}

// Client is a call of one of the client programs that come with the server, such as mysqlbinlog.
func (s *Server) Client(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	client := *s.install
	client.Mysqld = filepath.Join(filepath.Dir(filepath.Dir(s.install.Mysqld)), "bin", program)
	if _, err := os.Stat(client.Mysqld); err != nil {
		return nil, fmt.Errorf("client program of server %s: %w", s.Name, err)
	}
	return client.command(ctx, "", args...), nil
}
