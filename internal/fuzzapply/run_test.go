package fuzzapply

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/chaos"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

func TestMain(m *testing.M) { chaos.Main(m) }

// patience is how long a batch may take to come through on a busy machine; usually a second.
const patience = 90 * time.Second

// newRig starts servers as the data cases have them: the target's settings differ wherever they could spoil data.
func newRig(t *testing.T) *chaos.Rig {
	source, target := testmysql.SourceOptions(), testmysql.ContraryTargetOptions()
	source.Extra = []string{"--max-allowed-packet=64M", "--max-binlog-size=64M", "--innodb-lock-wait-timeout=1"}
	rig := chaos.NewRig(t, chaos.Options{Source: testmysql.StartT(t, source), Target: testmysql.StartT(t, target)})
	rig.Include = "c_*.*"
	rig.Rename = map[string]string{}
	for set := range RouteSets {
		for slot := range batch {
			maps.Copy(rig.Rename, RouteSets[set].Entries(schemaOf(set, slot)))
		}
	}
	rig.Target.Exec(t, "GRANT ALL ON `c_%`.* TO 'applier'@'%'")
	return rig
}

// schemaOf is the database of a case: a daemon has its routes from its start on, so each place in a batch has a database
// for each set of routes, which batches use again.
func schemaOf(routes, slot int) string { return fmt.Sprintf("c_fuzz_%d_%d", routes, slot) }

// player runs cases between the servers of a rig, in one mode. In strict mode the daemon follows live, in split mode it
// is frozen while the changes are made, so that they meet it as a backlog and merge.
type player struct {
	rig     *chaos.Rig
	t       *testing.T // The test in which the daemons live.
	build   chaos.Build
	streams int
	daemon  *chaos.Daemon
	tally   tally
}

// tally counts what was run: a fuzzer whose statements all fail sees nothing.
type tally struct{ cases, routed, moved, statements, refused, xa, tables, tablesRefused, rows int }

// played is a case that was run.
type played struct {
	Case
	schema                     string
	failedSetup, failedChanges map[int]bool // Statements that the source refused.
	moves                      []string     // What was changed on the target alone, under ${schema}.
}

// run plays cases one after the other on the source, lets all come through, and compares. The verdict is "" when both
// sides are equal, else it says what is wrong, with the database's name as far as that is known.
func (p *player) run(cases []Case) (verdict string, all []*played) {
	p.follow()
	for slot, c := range cases {
		d := &played{Case: c, schema: schemaOf(c.Routes, slot), failedSetup: map[int]bool{}, failedChanges: map[int]bool{}}
		all = append(all, d)
		p.rig.Source.Exec(p.t, "CREATE DATABASE IF NOT EXISTS "+d.schema+" CHARACTER SET utf8mb4")
		p.setup(d)
	}
	byName := slices.ContainsFunc(all, func(d *played) bool { return d.ByName })
	if p.frozen() || byName {
		if problem := p.await(); problem != "" {
			return problem, all
		}
	}
	for _, d := range all {
		if d.ByName {
			p.move(d)
		}
	}
	if p.frozen() {
		p.daemon.Signal(syscall.SIGSTOP)
	}
	for _, d := range all {
		p.changes(d)
	}
	p.daemon.Signal(syscall.SIGCONT)
	if problem := p.await(); problem != "" {
		return problem, all
	}
	return p.compare(all), all
}

// asWritten are settings under which a definition means what SHOW CREATE TABLE says; the target's own are others.
const asWritten = "explicit_defaults_for_timestamp=1, time_zone='+00:00', sql_mode=" + loose

// move puts the last column of each of the case's tables first on the target. The server refuses that of some: columns
// from which others are generated, and generated ones themselves.
func (p *player) move(d *played) {
	conn, err := p.rig.Target.DB().Conn(p.t.Context())
	if err == nil {
		err = p.exec(conn, "SET sql_quote_show_create=1, "+asWritten)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	defer discard(conn)
	for _, row := range p.rig.Source.QueryT(p.t, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='"+d.schema+"'") {
		database, table := p.rig.OnTarget(d.schema, row[0])
		name := "`" + database + "`.`" + table + "`"
		var definition, last string
		if err := conn.QueryRowContext(p.t.Context(), "SHOW CREATE TABLE "+name).Scan(new(string), &definition); err != nil {
			p.t.Fatal(err)
		}
		if strings.Contains(definition, " VIRTUAL") || strings.Contains(definition, "((") {
			continue // Behind such a move MySQL 9.7.4 crashes at a row of a table with an index on a virtual column.
		}
		for line := range strings.Lines(definition) {
			if strings.HasPrefix(line, "  `") {
				last = strings.TrimSuffix(strings.TrimSpace(line), ",")
			}
		}
		if strings.Contains(last, " DEFAULT (") {
			continue // SHOW CREATE TABLE shows '?' for a byte in it that its character set does not have.
		}
		sql := "ALTER TABLE " + name + " MODIFY COLUMN " + last + " FIRST"
		if err := p.exec(conn, sql); err != nil {
			p.note(sql, err)
			continue
		}
		d.moves = append(d.moves, "SET "+asWritten+"; "+strings.ReplaceAll(sql, d.schema, "${schema}"))
	}
	if len(d.moves) > 0 {
		p.tally.moved++
	}
}

// frozen reports that the daemon stands still while changes are made.
func (p *player) frozen() bool { return p.rig.Mode == "split" }

// kill is a SIGKILL and a new start.
func (p *player) kill() {
	p.daemon.Kill()
	p.daemon = p.rig.Start(p.t, p.build)
	if p.frozen() {
		p.daemon.Signal(syscall.SIGSTOP)
	}
}

// follow makes sure of a daemon that streams. After a halt the next stream begins at the source's end.
func (p *player) follow() {
	if p.daemon != nil {
		return
	}
	p.streams++
	p.rig.Name = fmt.Sprintf("%s-%d", p.rig.Mode, p.streams)
	p.daemon = p.rig.Start(p.t, p.build)
	p.daemon.Await(p.t, patience, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
}

// await lets the daemon catch up; it says why it does not, and ends the daemon.
func (p *player) await() string {
	covers := p.rig.End(p.t)
	problem := "not caught up within " + patience.String()
	var last stream.Status
	defer func() {
		if p.daemon == nil {
			p.t.Logf("the last status: %+v", last)
		}
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		st, err := p.daemon.Status(context.WithoutCancel(p.t.Context()))
		last = st
		if err == nil && st.State == stream.StateHalted {
			problem = fmt.Sprintf("halted: %s at %s: %s", st.Problem.Code, st.Problem.Where, st.Problem.What)
			break
		}
		if err == nil && covers(st.Lag.Applied) {
			return ""
		}
	}
	p.daemon.Kill()
	p.daemon = nil
	return problem
}

func (p *player) compare(all []*played) string {
	var schemas, byName, placed []string
	for _, d := range all {
		if schemas = append(schemas, d.schemas()...); d.ByName {
			byName = append(byName, d.schemas()...)
		} else {
			placed = append(placed, d.schemas()...)
		}
	}
	_, back := p.rig.UnderSourceNames(p.t, schemas)
	defer back()
	differences := p.differences(testmysql.Compare, placed)
	return strings.Join(append(differences, p.differences(testmysql.CompareByName, byName)...), "; ")
}

func (p *player) differences(compare func(context.Context, *sql.DB, *sql.DB, ...string) ([]string, int64, error), schemas []string) []string {
	if len(schemas) == 0 { // Which would mean all.
		return nil
	}
	found, rows, err := compare(context.WithoutCancel(p.t.Context()), p.rig.Source.DB(), p.rig.Target.DB(), schemas...)
	p.tally.rows += int(rows)
	if err != nil {
		found = append(found, "compare: "+err.Error())
	}
	return found
}

// schemas are the case's database and those that its routes name.
func (d *played) schemas() []string { return []string{d.schema, d.schema + "_new", d.schema + "_to"} }

// drop removes what the cases have made: through the stream while there is one, on both sides too where something was wrong.
func (p *player) drop(all []*played, failed bool) {
	if failed && p.daemon != nil {
		p.daemon.Kill()
		p.daemon = nil
	}
	for _, d := range all {
		if !failed && RouteSets[d.Routes].scattered() {
			p.dropTables(d.schema)
			continue
		}
		p.rig.Source.Exec(p.t, "DROP DATABASE IF EXISTS "+d.schema)
		if failed {
			p.rig.Source.Exec(p.t, "DROP DATABASE IF EXISTS "+d.schema+"_to")
			for _, name := range d.schemas() {
				// Foreign keys may lead from one to another.
				p.rig.Target.Exec(p.t, "SET foreign_key_checks=0", "DROP DATABASE IF EXISTS "+name, "SET foreign_key_checks=1")
			}
		}
	}
}

// dropTables empties a database that cannot be dropped, since its tables are in several ones on the target.
func (p *player) dropTables(schema string) {
	var names []string
	for _, row := range p.rig.Source.QueryT(p.t, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='"+schema+"'") {
		names = append(names, schema+"."+row[0])
	}
	if len(names) > 0 {
		p.rig.Source.Exec(p.t, "SET foreign_key_checks=0", "DROP TABLE "+strings.Join(names, ", "), "SET foreign_key_checks=1")
	}
}

// setup and changes run a case's statements. What the source refuses is part of the game: it is noted, not a failure.
func (p *player) setup(d *played) {
	conn := p.session(d.schema)
	defer discard(conn)
	for i, sql := range d.Setup {
		err := p.exec(conn, strings.ReplaceAll(sql, "${schema}", d.schema))
		d.failedSetup[i] = err != nil
		if strings.HasPrefix(sql, "CREATE TABLE") {
			p.tally.tables++
			if err != nil {
				p.tally.tablesRefused++
				p.note(sql, err)
			}
		}
	}
}

func (p *player) changes(d *played) {
	p.tally.cases++
	if d.Routes > 0 {
		p.tally.routed++
	}
	sessions := map[int]*sql.Conn{}
	defer func() {
		for _, conn := range sessions {
			discard(conn)
		}
	}()
	for i, s := range d.Changes {
		if sessions[s.Session] == nil {
			sessions[s.Session] = p.session(d.schema)
		}
		p.tally.statements++
		if err := p.exec(sessions[s.Session], s.SQL); err != nil {
			p.tally.refused++
			d.failedChanges[i] = true
			p.note(s.SQL, err)
		} else if strings.HasPrefix(s.SQL, "XA COMMIT") {
			p.tally.xa++
		}
		if d.Kill && i == len(d.Changes)/2 {
			p.kill()
		}
	}
	if left := p.rig.Source.QueryT(p.t, "XA RECOVER"); len(left) > 0 {
		p.t.Fatalf("the case leaves %d XA transactions prepared", len(left))
	}
}

// note prints what the source refuses, for whoever works on the generator.
func (p *player) note(sql string, err error) {
	if os.Getenv("BINSEAL_FUZZ_VERBOSE") != "" {
		p.t.Logf("%v: %.300s", err, sql)
	}
}

func (p *player) session(schema string) *sql.Conn {
	conn, err := p.rig.Source.DB().Conn(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.exec(conn, "USE "+schema); err != nil {
		p.t.Fatal(err)
	}
	return conn
}

func (p *player) exec(conn *sql.Conn, sql string) error {
	_, err := conn.ExecContext(p.t.Context(), sql)
	return err
}

// discard closes a session for good: its settings must not reach the next user.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
