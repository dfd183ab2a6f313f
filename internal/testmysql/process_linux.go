package testmysql

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// dieWithParent makes the kernel kill the server when the thread that started it ends, so that a crashed or
// killed test leaves no server behind. The process group of its own keeps a terminal's Ctrl-C from the server.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// waitStopped waits until SIGSTOP has reached every thread: the signal returns before that, and a server that is
// not quite stopped may still answer.
func waitStopped(pid int) error {
	for range 1000 {
		if allStopped(pid) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("process %d does not stop", pid)
}

// allStopped reads the state of each thread, the first letter behind the name in parentheses (proc_pid_stat(5)).
func allStopped(pid int) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(files) == 0 {
		return false
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // The thread has ended.
		}
		if i := bytes.LastIndexByte(stat, ')'); i < 0 || i+2 >= len(stat) || stat[i+2] != 'T' {
			return false
		}
	}
	return true
}
