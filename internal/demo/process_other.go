//go:build !linux

package demo

import "syscall"

// dieWithParent has no counterpart here: a killed demo leaves its daemon behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
