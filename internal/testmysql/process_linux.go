package testmysql

import "syscall"

// dieWithParent makes the kernel kill the server when the thread that started it ends, so that a crashed or
// killed test leaves no server behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
