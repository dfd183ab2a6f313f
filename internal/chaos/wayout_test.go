package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/stream"
)

// wayOut is one halt that no data case can make, and what an operator does then. Each has a stream of its own on the
// same servers, whose schema shop has the one table w.
type wayOut struct {
	*Rig
	next int // A key that w does not have yet.
}

// add makes a transaction on the source and gives its place.
func (w *wayOut) add(t *testing.T) change.Position {
	t.Helper()
	at := w.sourceEnd(t)
	w.Source.Exec(t, fmt.Sprintf("INSERT INTO shop.w VALUES (%d,1),(%d,2)", w.next, w.next+1))
	w.next += 2
	return at
}

func (w *wayOut) sourceEnd(t *testing.T) change.Position {
	t.Helper()
	row := w.Source.QueryT(t, "SHOW BINARY LOG STATUS")[0]
	at, err := change.ParsePosition(row[0] + ":" + row[1])
	must(t, err)
	return at
}

// load copies the table anew, as an operator's dump and load does.
func (w *wayOut) load(t *testing.T) {
	t.Helper()
	w.Target.Exec(t, "DELETE FROM shop.w")
	var rows []string
	for _, row := range w.Source.QueryT(t, "SELECT id, v FROM shop.w") {
		rows = append(rows, "("+row[0]+","+row[1]+")")
	}
	w.Target.Exec(t, "INSERT INTO shop.w VALUES "+strings.Join(rows, ","))
}

// loaded is the step behind a load: the position of the copy.
func (w *wayOut) loaded(t *testing.T) {
	t.Helper()
	w.load(t)
	w.binseal(t, "position", "set", "--loaded", "--gtid", executed(t, w.Source))
}

// skip takes the transaction that a halt names for applied.
func (w *wayOut) skip(t *testing.T, st stream.Status) {
	t.Helper()
	_, gtid, found := strings.Cut(strings.TrimSuffix(st.Problem.Where, ")"), "(GTID ")
	if !found {
		t.Fatalf("%s names no GTID", st.Problem.Where)
	}
	w.binseal(t, "position", "skip", "--gtid", gtid)
}

func (w *wayOut) binseal(t *testing.T, args ...string) {
	t.Helper()
	code, out := w.Command(context.WithoutCancel(t.Context()), t, args...)
	t.Logf("binseal %s:\n%s", strings.Join(args, " "), out)
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

// stopHalted ends a halted daemon, whose exit code says that a person is needed.
func stopHalted(t *testing.T, d *Daemon) {
	t.Helper()
	d.Signal(syscall.SIGTERM)
	if !d.Wait(15*time.Second) || d.ExitCode() != int(change.ClassPerson) {
		t.Fatalf("SIGTERM to a halted daemon: exit code %d\n%s", d.ExitCode(), tail(d.Log()))
	}
}

// damage rewrites an event of a transaction in the source's files: the first of a type behind at. The checksum is made
// to fit unless rot says that the disk did it.
func (w *wayOut) damage(t *testing.T, at change.Position, typ byte, rot bool, edit func(event []byte)) {
	t.Helper()
	w.Source.Exec(t, "FLUSH BINARY LOGS")
	path := filepath.Join(w.Source.DataDir, at.File)
	log, err := os.ReadFile(path)
	must(t, err)
	for pos := int(at.Pos); pos < len(log); {
		event := log[pos : pos+int(binary.LittleEndian.Uint32(log[pos+9:]))]
		pos += len(event)
		if event[4] != typ {
			continue
		}
		edit(event)
		if body := event[:len(event)-4]; !rot {
			binary.LittleEndian.PutUint32(event[len(body):], crc32.ChecksumIEEE(body))
		}
		must(t, os.WriteFile(path, log, 0o640))
		return
	}
	t.Fatalf("no event of type %d behind %s", typ, at)
}

// as makes an event one of another type.
func as(typ byte) func([]byte) { return func(event []byte) { event[4] = typ } }

// Types of events (binlog_event.h).
const (
	queryEvent     = 2
	xidEvent       = 16
	tableMapEvent  = 19
	preGAWriteRows = 20
	incidentEvent  = 26
	writeRowsEvent = 30
	unknownEvent   = 230
)

// breakLog makes a transaction and damages it. The daemon is not running then.
func breakLog(typ byte, rot bool, edit func([]byte)) func(*testing.T, *wayOut, *Daemon) *Daemon {
	return func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
		d.Stop(t)
		w.damage(t, w.add(t), typ, rot, edit)
		return w.Start(t, Normal)
	}
}

// byHand is the work of the refused transaction, and a word to skip it.
func byHand(t *testing.T, w *wayOut, st stream.Status) {
	w.Target.Exec(t, fmt.Sprintf("INSERT INTO shop.w VALUES (%d,1),(%d,2)", w.next-2, w.next-1))
	w.skip(t, st)
}

func copyAnew(t *testing.T, w *wayOut, _ stream.Status) { w.loaded(t) }

// Behind each halt that needs a person: the step that its code tells, by which the stream goes on with nothing lost.
func TestWaysOut(t *testing.T) {
	o := testmysql.SourceOptions()
	o.BinlogEncryption = false
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, o)})}
	for _, s := range []*testmysql.Server{w.Source, w.Target} {
		s.Exec(t, "CREATE DATABASE IF NOT EXISTS shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	}
	for i, c := range []struct {
		code string
		how  string
		ruin func(*testing.T, *wayOut, *Daemon) *Daemon // Gets the running daemon, gives the one that will halt.
		mend func(*testing.T, *wayOut, stream.Status)
	}{
		{"BS-CHECKSUM", "a bit has flipped on the source's disk", breakLog(writeRowsEvent, true, func(e []byte) { e[len(e)-6] ^= 1 }), copyAnew},
		{"BS-INCIDENT", "the source lost events", breakLog(xidEvent, false, as(incidentEvent)), copyAnew},
		{"BS-EVENT-UNKNOWN", "an event of a later release", breakLog(xidEvent, false, as(unknownEvent)), byHand},
		{"BS-EVENT-UNSUPPORTED", "a row event of an old release", breakLog(writeRowsEvent, false, as(preGAWriteRows)), byHand},
		{"BS-EVENT-MALFORMED", "a table map that ends in its header", breakLog(tableMapEvent, false, func(e []byte) { e[19+8] = 200 }), byHand},
		{"BS-DDL-UNPARSABLE", "a statement of no known kind", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			d.Stop(t)
			at := w.sourceEnd(t)
			w.Source.Exec(t, "CREATE TABLE shop.x (id INT PRIMARY KEY)")
			w.damage(t, at, queryEvent, false, func(e []byte) { copy(e[bytes.Index(e, []byte("CREATE TABLE")):], "CREATE TIBLE") })
			return w.Start(t, Normal)
		}, func(t *testing.T, w *wayOut, st stream.Status) {
			w.Target.Exec(t, "CREATE TABLE shop.x (id INT PRIMARY KEY)")
			w.skip(t, st)
		}},
		{"BS-BINLOG-PURGED", "the log was purged while the daemon was down", purge, copyAnew},
		{"BS-GTID-MODE", "gtid_mode went back while the daemon was down", withoutGTIDs, withGTIDs},
		{"BS-PROGRESS-CORRUPT", "somebody has edited the record", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			d.Stop(t)
			w.add(t)
			w.Target.Exec(t, "UPDATE binseal.progress SET record='{' WHERE stream='"+w.Name+"' AND session<2")
			return w.Start(t, Normal)
		}, copyAnew},
		{"BS-TARGET-LOST-COMMITS", "a follower's commit is gone", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			d.Stop(t)
			w.add(t)
			w.Target.Exec(t, "UPDATE binseal.progress SET record=JSON_SET(record,'$.participants',JSON_ARRAY(2)) WHERE stream='"+w.Name+"' AND session<2")
			return w.Start(t, Normal)
		}, copyAnew},
		{"BS-CONFIG-CHANGED", "another filter for a half-done epoch", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			w.halfDone(t, d)
			w.Exclude = `["shop.x"]`
			return w.Start(t, Normal)
		}, func(_ *testing.T, w *wayOut, _ stream.Status) { w.Exclude = "" }},
		{"BS-HALF-DONE", "the source never had the end of a half-done epoch", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			w.halfDone(t, d)
			w.Target.Exec(t, "UPDATE binseal.progress SET record=JSON_SET(record,'$.end.gtids','"+executed(t, w.Source)+"0000') WHERE stream='"+w.Name+"' AND session>1 AND record LIKE '%end%'")
			return w.Start(t, Normal)
		}, copyAnew},
		{"BS-FENCED", "a second daemon took over", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			second := w.Start(t, Normal)
			w.add(t)
			w.AwaitCaughtUp(t, second, 20*time.Second)
			second.Stop(t)
			return d
		}, func(*testing.T, *wayOut, stream.Status) {}},
		{"BS-TRIGGER", "somebody makes a trigger on the target while the stream runs", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			w.Target.Exec(t, "CREATE TRIGGER shop.late BEFORE INSERT ON shop.w FOR EACH ROW SET @late=NEW.id")
			w.add(t)
			return d
		}, func(t *testing.T, w *wayOut, _ stream.Status) { w.Target.Exec(t, "DROP TRIGGER shop.late") }},
		{"BS-XA-UNKNOWN", "an XA transaction was prepared before the stream began", func(t *testing.T, w *wayOut, d *Daemon) *Daemon {
			d.Stop(t)
			w.xa(t, "early", w.next)
			w.Name += "-later"
			later := w.Start(t, Normal)
			later.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
			w.Source.Exec(t, "XA COMMIT 'early'")
			return later
		}, func(t *testing.T, w *wayOut, st stream.Status) {
			w.Target.Exec(t, fmt.Sprintf("INSERT INTO shop.w VALUES (%d,1)", w.next))
			w.next++
			w.skip(t, st)
		}},
		{"BS-POSITION-INVALID", "the stream was to begin within an event", startWithin, func(t *testing.T, w *wayOut, _ stream.Status) {
			w.Extra = ""
			w.load(t)
			w.binseal(t, "position", "set", "--at", w.sourceEnd(t).String())
		}},
	} {
		t.Run(c.code, func(t *testing.T) {
			w.Name, w.Mode = fmt.Sprintf("way-%d", i), "strict"
			d := w.Start(t, Normal)
			d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
			w.add(t)
			w.AwaitCaughtUp(t, d, 20*time.Second)
			w.Equal(t)
			halted := c.ruin(t, w, d)
			st := awaitHalt(t, halted, c.code)
			stopHalted(t, halted)
			c.mend(t, w, st)
			w.add(t)
			w.Source.Exec(t, "UPDATE shop.w SET v=v+1")
			end := w.sourceEnd(t)
			d = w.Start(t, Normal)
			d.Await(t, 30*time.Second, "caught up", func(st stream.Status) bool { // By position, which all streams have.
				return st.Lag.CaughtUp && change.Position{File: st.Lag.Applied.File, Pos: st.Lag.Applied.Pos}.Compare(end) >= 0
			})
			w.Equal(t)
			d.Stop(t)
		})
	}
	t.Run("what position refuses", func(t *testing.T) { positionRefuses(t, w) })
}

// positionRefuses asks for moves that would lose or repeat transactions. None is made.
func positionRefuses(t *testing.T, w *wayOut) {
	w.Name, w.Mode = "way-refused", "split"
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.add(t)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	end := w.sourceEnd(t)
	all := executed(t, w.Source)
	refuses := func(code string, args ...string) {
		t.Helper()
		exit, out := w.Command(t.Context(), t, append([]string{"position"}, args...)...)
		if exit == 0 || !strings.Contains(out, code) || !strings.Contains(out, "next ") {
			t.Errorf("position %s: exit code %d, want %s\n%s", strings.Join(args, " "), exit, code, out)
		}
	}
	refuses("BS-STREAM-RUNNING", "set", "--loaded", "--gtid", all)
	d.Stop(t)
	code, before := w.Command(t.Context(), t, "position", "--json")
	if code != 0 || !strings.Contains(before, `"ok": true`) || !strings.Contains(before, `"half_done": false`) || !strings.Contains(before, all) {
		t.Errorf("position --json: exit code %d\n%s", code, before)
	}
	uuid, _, _ := strings.Cut(all, ":")
	refuses("BS-POSITION-REFUSED", "skip", "--gtid", uuid+":1")
	refuses("BS-POSITION-REFUSED", "skip", "--gtid", uuid+":999999")
	refuses("BS-POSITION-REFUSED", "skip", "--gtid", all)
	refuses("BS-POSITION-REFUSED", "skip", "--at", end.String())
	refuses("BS-POSITION-REFUSED", "settle", "--ran")
	refuses("BS-SOURCE-BEHIND", "set", "--gtid", uuid+":1-999999")
	refuses("BS-SOURCE-BEHIND", "set", "--at", fmt.Sprintf("%s:%d", end.File, end.Pos+1))
	refuses("BS-POSITION-INVALID", "set", "--at", fmt.Sprintf("%s:%d", end.File, end.Pos-3))
	refuses("BS-BINLOG-PURGED", "set", "--at", "binlog.000001:4")
	for range 30 {
		w.add(t)
	}
	killAt(t, w.Rig, crashpoint.FollowerCommit, 1)
	time.Sleep(6 * time.Second) // The killed daemon's sessions end.
	refuses("BS-POSITION-REFUSED", "skip", "--gtid", uuid+":"+fmt.Sprint(lastNumber(t, executed(t, w.Source))))
	refuses("BS-POSITION-REFUSED", "set", "--gtid", executed(t, w.Source))
	w.binseal(t, "position")
	d = w.Start(t, Normal)
	w.AwaitCaughtUp(t, d, 30*time.Second)
	w.Equal(t)
	d.Stop(t)
}

func purge(t *testing.T, w *wayOut, d *Daemon) *Daemon {
	d.Stop(t)
	w.add(t)
	w.Source.Exec(t, "FLUSH BINARY LOGS")
	w.Source.Exec(t, "PURGE BINARY LOGS TO '"+w.sourceEnd(t).File+"'")
	return w.Start(t, Normal)
}

func withoutGTIDs(t *testing.T, w *wayOut, d *Daemon) *Daemon {
	d.Stop(t)
	w.add(t)
	w.Source.Exec(t, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE")
	return w.Start(t, Normal)
}

func withGTIDs(t *testing.T, w *wayOut, _ stream.Status) {
	w.Source.Exec(t, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=ON")
}

// halfDone leaves an epoch of which a follower has committed and the leader has not.
func (w *wayOut) halfDone(t *testing.T, d *Daemon) {
	d.Stop(t)
	w.Mode = "split"
	for range 30 {
		w.add(t)
	}
	killAt(t, w.Rig, crashpoint.FollowerCommit, 1)
}

// startWithin begins a new stream three bytes behind the begin of a transaction.
func startWithin(t *testing.T, w *wayOut, d *Daemon) *Daemon {
	d.Stop(t)
	at := w.add(t)
	w.Name += "-by-position"
	w.Extra = fmt.Sprintf("start: {file: %q, pos: %d}\n", at.File, at.Pos+3)
	return w.Start(t, Normal)
}

// xa prepares a transaction of one row.
func (w *wayOut) xa(t *testing.T, name string, id int) {
	t.Helper()
	w.Source.Exec(t, fmt.Sprintf("XA START '%s'; INSERT INTO shop.w VALUES (%d,1); XA END '%s'; XA PREPARE '%s'", name, id, name, name))
}

// More XA transactions are undecided than are held. The one too many is made by hand, and both of its halves skipped.
func TestTooManyUndecidedXA(t *testing.T) {
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict"})}
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	const held = 4096
	for n := range held + 1 {
		w.xa(t, fmt.Sprint(n), n)
	}
	st := awaitHalt(t, d, "BS-XA-TOO-LARGE")
	stopHalted(t, d)
	w.skip(t, st)
	for n := range held + 1 {
		w.Source.Exec(t, fmt.Sprintf("XA COMMIT '%d'", held-n)) // The one that was skipped first.
	}
	d = w.Start(t, Normal)
	st = awaitHalt(t, d, "BS-XA-UNKNOWN")
	stopHalted(t, d)
	w.Target.Exec(t, fmt.Sprintf("INSERT INTO shop.w VALUES (%d,1)", held))
	w.skip(t, st)
	d = w.Start(t, Normal)
	w.AwaitCaughtUp(t, d, time.Minute)
	w.Equal(t)
	d.Stop(t)
}

// Without GTIDs the halt names a place in the log, and by that the transaction is skipped.
func TestSkipByPosition(t *testing.T) {
	o := testmysql.SourceOptions()
	o.GTID, o.Extra = false, []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"} // ON is the default of 9.7.
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict", Source: testmysql.StartT(t, o)})}
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	w.add(t)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	code, out := w.Command(t.Context(), t, "position", "set", "--at", w.sourceEnd(t).String())
	if code != int(change.ClassRuntime) || !strings.Contains(out, "BS-STREAM-RUNNING") {
		t.Errorf("under a running daemon: exit code %d\n%s", code, out)
	}
	conn, err := w.Source.DB().Conn(t.Context())
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "SET binlog_format=STATEMENT; UPDATE shop.w SET v=v+1")
	must(t, err)
	w.add(t)
	st := awaitHalt(t, d, "BS-DML-STATEMENT")
	code, out = w.Command(t.Context(), t, "position", "skip", "--at", w.sourceEnd(t).String())
	if code != int(change.ClassConfig) || !strings.Contains(out, "BS-POSITION-REFUSED") {
		t.Errorf("another place than the halt's: exit code %d\n%s", code, out)
	}
	w.Target.Exec(t, "UPDATE shop.w SET v=v+1")
	w.binseal(t, "position", "skip", "--at", st.Problem.Where)
	w.binseal(t, "position", "show")
	stopHalted(t, d)
	d = w.Start(t, Normal)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	d.Stop(t)
}

// Two daemons with one server id end each other's connection. One of them halts; with an id of its own the stream goes
// on.
func TestServerIDClash(t *testing.T) {
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict"})}
	w.ServerID = 4711
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	w.add(t)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Name, w.Exclude = "another", `["shop.*"]`
	other := w.Start(t, Normal)
	deadline := time.Now().Add(time.Minute)
	for halted := d; ; halted = map[*Daemon]*Daemon{d: other, other: d}[halted] {
		if st, err := halted.Status(t.Context()); err == nil && st.State == stream.StateHalted {
			awaitHalt(t, halted, "BS-SERVER-ID-CLASH")
			stopHalted(t, halted)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("neither halts\n%s\n%s", tail(d.Log()), tail(other.Log()))
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.Kill()
	w.add(t)
	w.Name, w.Exclude, w.ServerID = "chaos", "", 4712 // The other one may stay.
	d = w.Start(t, Normal)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	d.Stop(t)
}

// A literal of a DDL can mean the time of the source's machine, whose zone the log does not tell.
func TestDDLInTheTimeZoneOfTheSourcesMachine(t *testing.T) {
	t.Setenv("TZ", "America/New_York") // Of the servers.
	w := &wayOut{Rig: NewRig(t, Options{Mode: "strict"})}
	d := w.Start(t, Normal)
	d.Await(t, 20*time.Second, "streaming", func(st stream.Status) bool { return st.State == stream.StateStreaming })
	w.Source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.w (id INT PRIMARY KEY, v INT)")
	w.add(t)
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Source.Exec(t, "ALTER TABLE shop.w ADD at TIMESTAMP NOT NULL DEFAULT '2024-07-01 12:00:00'")
	w.Source.Exec(t, "INSERT INTO shop.w (id,v) VALUES (100,1)")
	st := awaitHalt(t, d, "BS-DDL-TIMEZONE")
	stopHalted(t, d)
	w.Target.Exec(t, "SET time_zone='-04:00'; ALTER TABLE shop.w ADD at TIMESTAMP NOT NULL DEFAULT '2024-07-01 12:00:00'")
	w.skip(t, st)
	d = w.Start(t, Normal)
	w.Source.Exec(t, "SET time_zone='-04:00'; ALTER TABLE shop.w ADD due TIMESTAMP NOT NULL DEFAULT '2024-07-01 13:00:00'") // As it was told.
	w.AwaitCaughtUp(t, d, 20*time.Second)
	w.Equal(t)
	d.Stop(t)
}
