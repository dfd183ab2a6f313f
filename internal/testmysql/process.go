package testmysql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one run of a server's program.
type process struct {
	pid  int
	done chan struct{} // Closed when the program has ended.
	err  error         // How it ended; valid once done is closed.
}

// spawn starts the program and watches it from a goroutine that ends with it.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal belongs to the thread that forks, not to the process: were the goroutine free to
		// move, the thread could end, and the server with it, while the test still runs.
		runtime.LockOSThread()
		cmd.SysProcAttr = dieWithParent()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// ended reports whether the program has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends a signal unless the program has ended: its pid may be somebody else's by then.
func (p *process) signal(sig os.Signal) error {
	if p.ended() {
		return os.ErrProcessDone
	}
	return syscall.Kill(p.pid, sig.(syscall.Signal))
}

// kill ends the program at once and waits for its end.
func (p *process) kill() {
	if p.signal(syscall.SIGKILL) == nil {
		<-p.done
	}
}

// stop asks the program to end, and kills it when it has not within the time given.
func (p *process) stop(ctx context.Context, patience time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return nil //nolint:nilerr // It has ended already.
	}
	_ = p.signal(syscall.SIGCONT) // A paused program cannot hear the first one.
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-time.After(patience):
	}
	p.kill()
	return fmt.Errorf("server with pid %d had to be killed", p.pid)
}
