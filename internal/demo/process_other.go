//go:build !linux

package demo

import "syscall"

// dieWithParent can only give a process group of its own here: a killed demo leaves its daemon behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
