//go:build !linux

package testmysql

import (
	"syscall"
	"time"
)

// dieWithParent can only give a process group of its own here: a killed test leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// waitStopped gives SIGSTOP time to reach every thread.
func waitStopped(int) error {
	time.Sleep(100 * time.Millisecond)
	return nil
}
