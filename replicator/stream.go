package replicator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// Run reads the source's log behind from, a checkpoint that Admit has given, and yields its transactions until ctx
// ends or something fails. It does not reconnect: the caller starts it again from its record, so that no transaction is yielded against a position that
// the target does not have.
//
// Transactions that lie in the sockets' buffers together are yielded together, so that handing over costs little; near the end
// of the log (Config.Near) they lie there for up to readEvery, and none that was received waits for another to arrive. A yield that blocks holds the source back; nothing is read ahead beyond these buffers. The
// slice belongs to the receiver, and the transactions' memory until it gives them back (change.Loan).
//
// Errors: context.Cause(ctx) when ctx ended; yield's own error, unchanged; a *change.Fault, of class 4 when the log
// needs a person, with its position; else an error for which mysqlconn.Retryable tells whether to try again. After
// an error inside a transaction its last part never comes.
func (r *Reader) Run(ctx context.Context, from change.Checkpoint, yield func([]*change.Txn) error) error {
	err := r.run(ctx, from, yield)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (r *Reader) run(ctx context.Context, from change.Checkpoint, yield func([]*change.Txn) error) error {
	gtids, err := change.ParseGTIDSet(from.GTIDs)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	info, err := r.check(ctx, from)
	if err != nil {
		return err
	}
	if sameSource(from.Source, info.Source) != nil {
		return lost(errors.New("the source's name leads to another server than a moment ago"))
	}
	r.mu.Lock()
	r.pos, r.gtids = from.Pos, gtids.Clone()
	r.mu.Unlock()
	behind, err := change.ParseGTIDSet(from.ResumeGTIDs())
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	l, err := r.dial(ctx, info, from)
	if err != nil {
		return err
	}
	defer l.close()
	frames := framer{byGTID: from.ByGTID}
	l.socket.waitFor(seekPatience)
	if err := flavourOf(info.MariaDB).dump(l, r.cfg.ServerID, from, behind, &frames); err != nil {
		return l.failed("ask for the log", err)
	}
	r.cfg.Logger.Info("dump started", "position", from.Pos.String(), "by_gtid", from.ByGTID, "server_uuid", info.ServerUUID)
	return r.pump(ctx, l, &frames, from, info, yield)
}

// told adds to statements what the source's settings say about them and the log does not: the zone that "SYSTEM" stands
// for (where that cannot be told, it stays as it is, and whoever runs the statement refuses it), whether names mean
// their lower case, and before MySQL 8.0 explicit_defaults_for_timestamp: that is off by default there and on by default
// on a target, where a TIMESTAMP column made under it is another column, nullable and without its updates.
func told(info SourceInfo, yield func(*change.Txn) error) func(*change.Txn) error {
	zone, known := schema.SystemZone(info.SystemTimeZone)
	return func(t *change.Txn) error {
		if t.DDL != nil {
			t.DDL.LowerCaseNames = info.LowerCaseNames != 0
			if known && t.DDL.Session.TimeZone == "SYSTEM" {
				t.DDL.Session.TimeZone = zone
			}
			if s := &t.DDL.Session; s.ExplicitDefaultsTS == nil && !schema.TellsDefaultsTS(*s) {
				s.ExplicitDefaultsTS = info.ExplicitDefaultsTS
			}
		}
		return yield(t)
	}
}

// knownFor is how long what a source has said of itself is not asked again: the steps of one start follow each other within
// it, and the dump connection makes sure that it leads to the same server.
const knownFor = 5 * time.Second

// check finds out whether the source can go on at the checkpoint. What is known already may admit it, and never refuse it:
// since it was asked the source may have executed what an old owner of the stream has committed on the target.
func (r *Reader) check(ctx context.Context, from change.Checkpoint) (SourceInfo, error) {
	if r.known != nil && time.Since(r.knownAt) < knownFor {
		files, ok := r.cfg.Listing.kept(r.known.ServerUUID)
		if (ok || from.ByGTID) && r.fits(*r.known, grown(files), from) == nil {
			return *r.known, nil
		}
	}
	s, err := r.cfg.Endpoint.Open(ctx, mysqlconn.SessionOptions{ReadTimeout: setupPatience})
	if err != nil {
		return SourceInfo{}, err
	}
	defer s.Close()
	info, err := Identify(ctx, s)
	if err != nil {
		return info, err
	}
	var files []LogFile
	if !from.ByGTID {
		kept, ok := r.cfg.Listing.kept(info.ServerUUID)
		if files = grown(kept); !ok || r.fits(info, files, from) != nil {
			if files, err = r.cfg.Listing.ask(ctx, s); err != nil {
				return info, err
			}
		}
	}
	if err := r.fits(info, files, from); err != nil {
		return info, err
	}
	r.known, r.knownAt = &info, time.Now()
	return info, nil
}

// grown is a list that was kept: how long its last file is by now is not known.
func grown(files []LogFile) []LogFile {
	if len(files) > 0 {
		files[len(files)-1].Size = math.MaxUint64
	}
	return files
}

// fits admits a checkpoint.
func (r *Reader) fits(info SourceInfo, files []LogFile, from change.Checkpoint) error {
	if err := sameCase(info.LowerCaseNames, r.cfg.LowerCaseNames); err != nil {
		return err
	}
	return at(admit(info, files, from), from.Pos, from.Evidence.GTID)
}

// dial opens the dump connection and makes sure that it leads to the same server as the check.
// Invariant 5: no byte of a credential leaves over a connection that is not TLS with a verified peer.
func (r *Reader) dial(ctx context.Context, info SourceInfo, from change.Checkpoint) (*link, error) {
	l, err := r.link(ctx)
	if err != nil {
		return nil, err
	}
	l.limit = r.cfg.MaxRowBytes
	if err := r.prepare(l, info, from); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// connect logs in.
func connect(ctx context.Context, e *mysqlconn.Endpoint) (l *link, err error) {
	err = e.Dump(ctx, func(d mysqlconn.DumpSettings) (err error) {
		l, err = login(ctx, d)
		return err
	})
	return l, err
}

func login(ctx context.Context, d mysqlconn.DumpSettings) (*link, error) {
	if d.TLS == nil {
		return nil, errors.New("source: no TLS configuration")
	}
	l := &link{stop: func() bool { return true }, leave: func() {}}
	dialer := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.Dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.socket = &socket{Conn: c, patience: setupPatience}
		l.watch(ctx)
		return l.socket, nil
	}
	var err error
	addr := net.JoinHostPort(d.Host, fmt.Sprint(d.Port))
	l.conn, err = client.ConnectWithDialer(ctx, "tcp", addr, d.User, string(d.Password), "", dialer, func(c *client.Conn) error {
		c.SetTLSConfig(d.TLS)
		c.SetAttributes(map[string]string{"program_name": "binseal", "_client_role": "binary_log_listener"})
		c.BufferSize = readBuffer
		return nil
	})
	if err != nil {
		err = l.failed("connect for the dump", err)
		l.close()
		return nil, err
	}
	id, version, cipher, err := l.serverEnd()
	if err != nil {
		l.close()
		return nil, l.failed("ask for its end of the connection", err)
	}
	leave, err := d.Opened(id, version, cipher)
	if err != nil {
		l.close()
		return nil, err
	}
	l.leave = leave
	return l, nil
}

// readBuffer holds what TLS has decrypted; a few records of 16 KiB, so that small events cost no system call each.
const readBuffer = 256 << 10

// prepare makes a replica's session of a fresh connection.
func (r *Reader) prepare(l *link, info SourceInfo, from change.Checkpoint) error {
	id, err := l.uuid(info.MariaDB)
	if err != nil {
		return l.failed("ask for its identity", err)
	}
	if id != info.ServerUUID {
		return lost(errors.New("the second connection led to another server than the first"))
	}
	if err := l.settings(flavourOf(info.MariaDB).settings(r.cfg.ServerID, r.cfg.Heartbeat, from)); err != nil {
		return l.failed("prepare the dump", err)
	}
	if err := l.register(r.cfg.ServerID); err != nil {
		return l.failed("register as a replica", err)
	}
	return nil
}

// failed describes an error of the connection: the server's own, or that of TLS, or the first of the socket.
func (l *link) failed(op string, err error) error {
	if _, ok := errors.AsType[*mysql.MyError](err); !ok && l.socket != nil {
		err = l.socket.cause(err)
	}
	return mysqlconn.Describe("source", op, err)
}

// Bounds of what is yielded together.
const (
	yieldAtOnce = 64
	yieldBytes  = 256 << 10 // Memory held by rows.
)

// handover gathers transactions for a yield.
type handover struct {
	yield func([]*change.Txn) error
	txns  []*change.Txn
	bytes int
	err   error // Of yield; there is no further call behind it.

	last   time.Time // Commit time of the last one that was yielded since rested; zero without any.
	rested time.Time // When the reader last went on.
}

// add takes a transaction, or a part of one, which goes at once: its receiver bounds the memory of parts.
func (h *handover) add(t *change.Txn) error {
	if h.txns == nil {
		h.txns = make([]*change.Txn, 0, yieldAtOnce)
	}
	h.txns, h.bytes = append(h.txns, t), h.bytes+t.Bytes
	if len(h.txns) == yieldAtOnce || h.bytes >= yieldBytes || !t.Whole() {
		return h.flush()
	}
	return nil
}

func (h *handover) flush() error {
	if h.err == nil && len(h.txns) > 0 {
		h.last = h.txns[len(h.txns)-1].CommitTime // They are the receiver's then.
		h.err = h.yield(h.txns)
		h.txns, h.bytes = nil, 0
	}
	return h.err
}

// readEvery is how often the log is read near its end. A transaction by itself costs the source's thread, us and the target a
// multiple of what it costs among others; one that follows none within readEvery is not held up.
const readEvery = 3 * time.Millisecond

// rest waits for what is left of readEvery when transactions near the source have just been yielded and there are no more.
func (r *Reader) rest(ctx context.Context, h *handover) {
	if h.last.IsZero() {
		return
	}
	if left := readEvery - time.Since(h.rested); left > 0 && r.cfg.Near(h.last) {
		select {
		case <-ctx.Done():
		case <-time.After(left):
		}
	}
	h.last, h.rested = time.Time{}, time.Now()
}

// pump moves events from the link to the assembler until something ends it. What was whole before an error is yielded.
func (r *Reader) pump(ctx context.Context, l *link, frames *framer, from change.Checkpoint, info SourceInfo, yield func([]*change.Txn) error) error {
	out := handover{yield: yield}
	a, err := r.assembler(from, told(info, func(t *change.Txn) error {
		if !t.Whole() {
			r.cfg.Metrics.parts.Inc()
		}
		return out.add(t)
	}))
	if err != nil {
		return err
	}
	a.mariadb = mariadbRelease(info)
	a.tables.mariaDB = a.mariadb != 0
	defer a.payload.close()
	err = r.follow(ctx, l, frames, a, &out)
	if failed := out.flush(); failed != nil {
		return failed
	}
	return err
}

func (r *Reader) follow(ctx context.Context, l *link, frames *framer, a *assembler, out *handover) error {
	var unseen progress
	tell := func() {
		if unseen.events > 0 {
			r.saw(frames.pos, unseen)
		}
		unseen = progress{}
	}
	defer tell()
	l.socket.gather(func() error {
		tell()
		if err := out.flush(); err != nil {
			return err
		}
		if !l.socket.filled {
			r.rest(ctx, out)
		}
		return nil
	})
	patient := true // MariaDB searches within a file when it has sent the first events of it.
	for first := true; ; first = false {
		if patient && !first && !frames.searching {
			l.socket.waitFor(2 * r.cfg.Heartbeat)
			patient = false
		}
		raw, lent, err := l.read()
		if err != nil {
			return r.ended(l, frames, a.gtidNow(), err)
		}
		if first {
			r.cfg.Started()
		}
		ev, deliver, err := frames.next(raw)
		if err != nil {
			return at(err, ev.start, a.gtidNow())
		}
		if unseen.add(len(raw)); unseen.events == seenAtOnce {
			tell()
		}
		if !deliver {
			continue
		}
		ev.lent = lent
		if err := a.add(ev); err != nil {
			return err
		}
	}
}

// ended describes why no further event comes.
func (r *Reader) ended(l *link, frames *framer, gtid change.GTID, err error) error {
	pos := frames.pos
	if f, ok := dumpFault(err); ok {
		err = f
	}
	if f := change.FaultOf(err); f != nil {
		// Read from within an event, the log looks damaged to the source, or one event looks endless.
		if (f.Code == codeChecksum || f.Code == codeTooLarge) && !frames.proved && !frames.byGTID {
			err = frames.doubt(nil)
		}
		return at(err, pos, gtid)
	}
	if err = l.failed("read the log", err); pos.IsZero() {
		return err
	}
	return fmt.Errorf("at %s: %w", pos, err)
}

// assembler makes the assembler of one run.
func (r *Reader) assembler(from change.Checkpoint, yield func(*change.Txn) error) (*assembler, error) {
	a := &assembler{
		filter: r.cfg.Filter, logger: r.cfg.Logger, maxPart: r.cfg.MaxPartBytes, maxHeld: maxHeldBytes, byPosition: !from.ByGTID, yield: yield,
		payload: payloadReader{maxEvent: r.cfg.MaxRowBytes}, inflater: inflater{maxEvent: r.cfg.MaxRowBytes},
		admit: func(g change.GTID) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if from.ByGTID && !g.IsZero() && r.gtids.Has(g) {
				return lost(errors.New("the source sent a transaction that was applied before"))
			}
			return nil
		},
		done: func(g change.GTID) {
			r.cfg.Metrics.transactions.Inc()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.gtids.Add(g)
		},
	}
	a.memory.loan, a.tables.memory = new(change.Loan), &a.memory
	if !from.ByGTID {
		a.replay, a.skipped = from.Pos, from.Undecided.Skipped
		return a, nil
	}
	var err error
	if a.reread, err = from.Undecided.Members(); err != nil {
		return nil, fmt.Errorf("checkpoint: undecided XA transactions: %w", err)
	}
	if a.seen, err = change.ParseGTIDSet(from.ResumeGTIDs()); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if from.ResumeGTIDs() != from.GTIDs {
		if a.applied, err = change.ParseGTIDSet(from.GTIDs); err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
	}
	a.since, a.sinceGTIDs = from.Undecided.Since, from.Undecided.Behind
	a.describe()
	return a, nil
}

// progress is what was read and not yet told to anybody.
type progress struct{ events, bytes int }

func (p *progress) add(size int) { p.events, p.bytes = p.events+1, p.bytes+size }

// seenAtOnce is how many events are told together, while more are at hand: telling one costs as much as reading it.
const seenAtOnce = 64

// saw records how far the log was read.
func (r *Reader) saw(pos change.Position, p progress) {
	now := time.Now()
	r.cfg.Metrics.events.Add(float64(p.events))
	r.cfg.Metrics.bytes.Add(float64(p.bytes))
	r.cfg.Metrics.lastEvent.Set(float64(now.UnixMilli()) / 1000)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !pos.IsZero() {
		r.pos = pos
	}
	r.seenAt = now
}
