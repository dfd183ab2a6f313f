package demo

import "syscall"

// dieWithParent leaves no daemon behind when the demo itself is killed. A process group of its own keeps a
// terminal's Ctrl-C from the daemon: the demo stops it in its turn.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
