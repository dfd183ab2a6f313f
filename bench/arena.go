package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// bufferPoolMB is both servers' buffer pool.
const bufferPoolMB = 2048

// redoLog is the option of both servers for the redo log: enough for a backlog without waits for its room. It is a part of
// the target's state, of which each run begins with a copy: with 2 GB, a quick bench would mostly copy that.
func redoLog(p Plan) string {
	if p.Size < 0.1 {
		return "--innodb-redo-log-capacity=256M"
	}
	return "--innodb-redo-log-capacity=2G"
}

// arena is a source and a target between which one workload is run.
type arena struct {
	source, target *testmysql.Server
	dir            string // For configs and logs.
	password       string

	start, end   change.GTIDSet // The source's transactions before and behind the backlog.
	transactions int64          // Of the backlog.
	changes      int64          // Rows that it inserts, updates and deletes, as the source counts: with those rolled back for a deadlock.
	logBytes     uint64

	looked time.Time // When nativeHas last looked whether the replica runs.

	follow func(context.Context) error // Of a steady run: what happens while a contender follows.
}

// newArena starts the servers: the source with GTIDs and an encrypted binary log, the target encrypted at rest.
func newArena(ctx context.Context, dir string, p Plan) (a *arena, err error) {
	a = &arena{dir: dir, password: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	source := testmysql.SourceOptions()
	source.BufferPoolMB, source.Extra = bufferPoolMB, append([]string{redoLog(p)}, logWriters(p)...)
	if a.source, err = testmysql.Start(ctx, source); err != nil {
		return a, err
	}
	target := targetOptions(p)
	target.BufferPoolMB = bufferPoolMB
	target.Extra = append(target.Extra, redoLog(p), "--skip-replica-start=ON")
	target.Extra = append(target.Extra, logWriters(p)...)
	if a.target, err = testmysql.Start(ctx, target); err != nil {
		return a, err
	}
	if err := os.WriteFile(a.path("password"), []byte(a.password), 0o600); err != nil {
		return a, err
	}
	return a, errors.Join(a.source.CreateReplicationUser(ctx, "repl", a.password), a.target.CreateApplierUser(ctx, "applier", a.password, schemaName))
}

// ServerSettings starts a plan's servers and asks both, "source" and "target", for the settings that they were given, and
// whether they write a binary log: "name=value name=value …", in order. Folders and ports are left out, and what a contender
// sets later.
func ServerSettings(ctx context.Context, p Plan) (settings map[string]string, err error) {
	dir, err := os.MkdirTemp("", "binseal-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a, err := newArena(ctx, dir, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	settings = map[string]string{}
	for name, s := range map[string]*testmysql.Server{"source": a.source, "target": a.target} {
		// MySQL manual, "The variables_info Table": COMPILED is the default, DYNAMIC what the server or a session has set since.
		rows, err := s.Query(ctx, `SELECT CONCAT(VARIABLE_NAME,'=',VARIABLE_VALUE) FROM performance_schema.variables_info JOIN performance_schema.global_variables USING (VARIABLE_NAME)
			WHERE VARIABLE_SOURCE<>'COMPILED' AND VARIABLE_VALUE NOT LIKE '%/%' AND VARIABLE_NAME NOT IN ('port','admin_port')
				OR VARIABLE_NAME REGEXP '^(log_bin|log_replica_updates|innodb_log_writer_threads|replica_(checkpoint|parallel_type|pending|preserve).*|binlog_(transaction|group_commit|row|checksum).*)$'
			ORDER BY VARIABLE_NAME`)
		if err != nil {
			return nil, err
		}
		var all []string
		for _, row := range rows {
			all = append(all, row[0])
		}
		settings[name] = strings.Join(all, " ")
	}
	return settings, nil
}

// logWriters is the option of both servers for Plan.LogWriters.
func logWriters(p Plan) []string {
	if !p.LogWriters {
		return nil
	}
	return []string{"--innodb-log-writer-threads=ON"}
}

// targetOptions are those of a target that native replication can read into as well.
func targetOptions(p Plan) testmysql.Options {
	o := testmysql.TargetOptions()
	o.Binlog, o.PerformanceSchema = !p.NoTargetLog, true
	o.Extra = []string{"--gtid-mode=ON", "--enforce-gtid-consistency=ON"}
	return o
}

func (a *arena) close() error {
	var errs []error
	for _, s := range []*testmysql.Server{a.source, a.target} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

func (a *arena) path(name string) string { return filepath.Join(a.dir, name) }

// fill gives both sides the workload's rows; what the source does from here on is the target's to follow.
func (a *arena) fill(ctx context.Context, w *Workload, p Plan) error {
	for _, s := range []*testmysql.Server{a.source, a.target} {
		if err := w.Prepare(ctx, s.DB(), p.Size, p.Seed); err != nil {
			return err
		}
	}
	var err error
	if a.start, err = a.executed(ctx); err != nil {
		return err
	}
	return a.target.Run(ctx, "SET GLOBAL gtid_purged = '"+a.start.String()+"'")
}

// prepare fills both sides, saves the target's state, and writes the backlog.
func (a *arena) prepare(ctx context.Context, w *Workload, p Plan) error {
	if err := a.fill(ctx, w, p); err != nil {
		return err
	}
	if err := a.target.SaveData(ctx); err != nil {
		return err
	}
	before, err := a.changed(ctx)
	if err != nil {
		return err
	}
	if err := w.Write(ctx, a.source.DB(), p.Size, p.Seed, max(1, p.Times)); err != nil {
		return err
	}
	after, err := a.changed(ctx)
	if err != nil {
		return err
	}
	if a.changes = after - before; w.changes != nil {
		a.changes = w.changes(p.Size) * int64(max(1, p.Times))
	}
	if a.end, err = a.executed(ctx); err != nil {
		return err
	}
	a.transactions = a.end.Count() - a.start.Count()
	if err := w.did(p.Size, float64(a.changes)/float64(a.transactions)); err != nil && p.Times <= 1 { // A longer one finds fewer rows left.
		return err
	}
	a.logBytes, err = a.logSize(ctx)
	return err
}

func (a *arena) executed(ctx context.Context) (change.GTIDSet, error) {
	_, _, gtids, err := a.source.LogEnd(ctx)
	if err != nil {
		return change.GTIDSet{}, err
	}
	return change.ParseGTIDSet(gtids)
}

// changed counts the rows that the source has changed since its start.
func (a *arena) changed(ctx context.Context) (int64, error) {
	rows, err := a.source.Query(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_rows_inserted','Innodb_rows_updated','Innodb_rows_deleted')")
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, row := range rows {
		n, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// logSize is the size of the source's log, in bytes. What lies before the backlog is small.
func (a *arena) logSize(ctx context.Context) (uint64, error) {
	rows, err := a.source.Query(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, row := range rows {
		n, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// reset puts the target back to where the workload's backlog begins, and reads its tables into memory.
func (a *arena) reset(ctx context.Context) error {
	if err := a.target.RestoreData(ctx); err != nil {
		return err
	}
	tables, err := a.target.Query(ctx, "SELECT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='"+schemaName+"' AND SEQ_IN_INDEX=1")
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := a.target.Query(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s.%s FORCE INDEX (`%s`)", schemaName, t[0], t[1])); err != nil {
			return err
		}
	}
	return nil
}

// differences compares both sides' tables.
func (a *arena) differences(ctx context.Context) ([]string, error) {
	differences, _, err := testmysql.Compare(ctx, a.source.DB(), a.target.DB(), schemaName)
	return differences, err
}

// cpuSeconds is what a process has used of the processors, in user and system mode, since its start.
// Layout: proc(5), /proc/pid/stat, fields 14 and 15, in ticks of 10 ms.
func cpuSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // The program's name may hold spaces.
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks float64
	for _, f := range fields[11:13] { // Numbered from 3, the state.
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / 100, nil
}

// await polls until done holds, every 10 ms, which is far below the shortest run.
func await(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", limit, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
