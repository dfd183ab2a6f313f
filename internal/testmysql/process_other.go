//go:build !linux

package testmysql

import (
	"syscall"
	"time"
)

// dieWithParent has no counterpart here: a killed test leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }

// waitStopped gives SIGSTOP time to reach every thread.
func waitStopped(int) error {
	time.Sleep(100 * time.Millisecond)
	return nil
}
