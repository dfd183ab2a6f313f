//go:build !linux

package testmysql

import "syscall"

// dieWithParent has no counterpart here: a killed test leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
