package demo

import "syscall"

// dieWithParent leaves no daemon behind when the demo itself is killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
