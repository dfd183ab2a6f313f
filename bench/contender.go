package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience bounds one catch-up; the slowest, mysqlbinlog | mysql of 200k transactions, takes some minutes.
const patience = time.Hour

// Contender brings a target up to the source's end.
type Contender struct {
	Name string
	// Once is set where a run takes so long that one round must do.
	Once bool
	// Against names the contender whose time is the measure of this one; "" for the best of native replication.
	Against string
	run     func(ctx context.Context, a *arena, r *Run) error
}

// Names of contenders that the report refers to.
const (
	Split        = "binseal split"
	StrictMode   = "binseal strict"
	MysqlBinlog  = "mysqlbinlog | mysql"
	nativePrefix = "native "
	NoLog        = "-nolog" // Ends the names of results with Plan.NoTargetLog.
)

// Binseal is the daemon with the given options.
func Binseal(name, binary string, o DaemonOptions) Contender {
	return Contender{Name: name, run: func(ctx context.Context, a *arena, r *Run) error { return catchUpWith(binary)(ctx, a, r, o) }}
}

// catchUpWith runs the daemon until it has caught up.
func catchUpWith(binary string) func(context.Context, *arena, *Run, DaemonOptions) error {
	return func(ctx context.Context, a *arena, r *Run, o DaemonOptions) error {
		began := time.Now()
		d, err := a.startDaemon(binary, o)
		if err != nil {
			return err
		}
		waited := await(ctx, patience, "binseal has caught up", func() (bool, error) { return d.applied(ctx, a.end) })
		r.Seconds = time.Since(began).Seconds()
		st, asked := d.status(ctx)
		r.Epochs, r.RowsWritten = st.Totals.Epochs, st.Totals.RowsWritten
		allocations, counted := d.allocations(ctx)
		r.Allocations = allocations
		var ended error
		r.DaemonCPU, r.PeakRSS, ended = d.stop()
		return errors.Join(waited, asked, counted, ended)
	}
}

// Native is the server's own replication: reading and applying at once, over TLS with the source's certificate verified,
// with so many applier threads, that commit in the source's order or in any.
func Native(workers int, ordered bool) Contender {
	name := fmt.Sprintf("%s%d", nativePrefix, workers)
	order := "ON"
	if !ordered {
		name, order = name+" unordered", "OFF"
	}
	return Contender{Name: name, run: func(ctx context.Context, a *arena, r *Run) error {
		if err := a.startNative(ctx, workers, order); err != nil {
			return err
		}
		began := time.Now()
		if err := a.target.Run(ctx, "START REPLICA"); err != nil {
			return err
		}
		err := await(ctx, patience, "native replication has caught up", func() (bool, error) { return a.nativeHas(ctx) })
		r.Seconds = time.Since(began).Seconds()
		if err != nil {
			return err
		}
		return a.target.Run(ctx, "STOP REPLICA")
	}}
}

// startNative makes the target a replica that does not run yet.
func (a *arena) startNative(ctx context.Context, workers int, order string) error {
	return a.target.Run(ctx,
		fmt.Sprintf("SET GLOBAL replica_parallel_workers=%d, GLOBAL replica_preserve_commit_order=%s", workers, order),
		fmt.Sprintf(`CHANGE REPLICATION SOURCE TO SOURCE_HOST='localhost', SOURCE_PORT=%d, SOURCE_USER='repl', SOURCE_PASSWORD='%s',
			SOURCE_AUTO_POSITION=1, SOURCE_SSL=1, SOURCE_SSL_CA='%s', SOURCE_SSL_VERIFY_SERVER_CERT=1`, a.source.Port, a.password, a.source.CAFile))
}

// nativeHas reports that the target has executed the backlog; a replica that has stopped is an error. It is asked often, on the
// target's processor: whether the replica runs is looked at once a second.
func (a *arena) nativeHas(ctx context.Context) (bool, error) {
	rows, err := a.target.Query(ctx, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", a.end.String())
	if err != nil || rows[0][0] == "1" {
		return err == nil, err
	}
	if time.Since(a.looked) < time.Second {
		return false, nil
	}
	a.looked = time.Now()
	rows, err = a.target.Query(ctx, "SELECT COUNT(*) FROM performance_schema.replication_applier_status WHERE SERVICE_STATE='OFF'")
	if err == nil && rows[0][0] != "0" {
		err = errors.New("native replication has stopped: see error.log in the target's folder")
	}
	return false, err
}

// Pipe is the client programs: mysqlbinlog reads the source, mysql executes what it writes, both over verified TLS.
func Pipe() Contender {
	return Contender{Name: MysqlBinlog, Once: true, run: func(ctx context.Context, a *arena, r *Run) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		rows, err := a.source.Query(ctx, "SHOW BINARY LOGS")
		if err != nil {
			return err
		}
		login := func(port int, ca, user string) []string {
			return []string{"--no-defaults", "--host=localhost", "--protocol=TCP", fmt.Sprintf("--port=%d", port), "--user=" + user, "--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=" + ca}
		}
		reader, err := a.source.Client(ctx, "mysqlbinlog", append(login(a.source.Port, a.source.CAFile, "repl"), "--read-from-remote-server", "--to-last-log",
			"--exclude-gtids="+a.start.String(), rows[0][0])...)
		if err != nil {
			return err
		}
		writer, err := a.target.Client(ctx, "mysql", append(login(a.target.Port, a.target.CAFile, "pipe"), "--binary-mode", "--max-allowed-packet=1G")...)
		if err != nil {
			return err
		}
		// What the log's statements need: BINLOG, GTID_NEXT and session variables.
		if err := a.target.Run(ctx, fmt.Sprintf("CREATE USER pipe IDENTIFIED BY '%s' REQUIRE SSL", a.password), "GRANT ALL ON *.* TO pipe"); err != nil {
			return err
		}
		for _, cmd := range []*exec.Cmd{reader, writer} {
			cmd.Env = append(cmd.Environ(), "MYSQL_PWD="+a.password)
		}
		began := time.Now()
		r.DaemonCPU, err = pipe(reader, writer)
		r.Seconds = time.Since(began).Seconds()
		if err != nil {
			return err
		}
		return await(ctx, time.Second, "mysql has executed the whole log", func() (bool, error) { return a.nativeHas(ctx) })
	}}
}

// pipe runs reader | writer to their end and gives the processor seconds of both.
func pipe(reader, writer *exec.Cmd) (cpu float64, err error) {
	var said, wrong bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	reader.Stdout, writer.Stdin = w, r
	reader.Stderr, writer.Stderr = &said, &wrong
	started := writer.Start()
	if started == nil {
		started = reader.Start()
	}
	// Theirs alone now: mysql ends with its input, and mysqlbinlog with a mysql that is gone.
	if err := errors.Join(started, w.Close(), r.Close()); err != nil {
		return 0, err
	}
	read, wrote := reader.Wait(), writer.Wait()
	for _, cmd := range []*exec.Cmd{reader, writer} {
		if s := cmd.ProcessState; s != nil {
			cpu += (s.UserTime() + s.SystemTime()).Seconds()
		}
	}
	if read != nil || wrote != nil {
		return cpu, fmt.Errorf("mysqlbinlog: %v: %s; mysql: %v: %s", read, strings.TrimSpace(said.String()), wrote, strings.TrimSpace(wrong.String()))
	}
	return cpu, nil
}
