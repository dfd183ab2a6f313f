package applier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/internal/crashpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// ddlItem is a DDL statement. The collector waits for done: rows behind a DDL stay raw until the definitions have
// been loaded again.
type ddlItem struct {
	txn  *change.Txn
	done chan struct{}
}

func (a *Applier) takeDDL(ctx context.Context, t *change.Txn, out chan<- item) error {
	it := &ddlItem{txn: t, done: make(chan struct{})}
	if err := send(ctx, out, it); err != nil {
		return err
	}
	select {
	case <-it.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// applyDDL runs a DDL alone, recorded in two steps around its implicit commit: intent and done. After a crash
// between the two, Settle finds out whether it ran.
func (a *Applier) applyDDL(ctx context.Context, it *ddlItem) error {
	if err := a.confirm(); err != nil {
		return err
	}
	t := it.txn
	d, err := schema.ParseDDL(t.DDL)
	if err != nil {
		return at(err, t)
	}
	run, err := d.Filtered(a.cfg.Filter)
	if err != nil {
		return at(err, t)
	}
	if run {
		if err := a.allowed(ctx, d); err != nil {
			return at(err, t)
		}
		if err := a.runDDL(ctx, t, d); err != nil {
			return err
		}
	} else {
		a.cfg.Logger.Info("statement skipped", "kind", d.Kind.String(), "position", position(t.Start, t.GTID))
	}
	var gtids change.GTIDSet
	gtids.Add(t.GTID)
	a.advance(t.End, gtids, t.CommitTime)
	if err := a.record(ctx, nil); err != nil {
		return a.failed(ctx, ddlEpoch(t), err, false)
	}
	crashpoint.Reach(crashpoint.DDLRecorded)
	a.cfg.Observer.Committed(Progress{Checkpoint: a.cp, Epoch: a.epoch, Transactions: 1, LogBytes: t.LogBytes, DDL: true})
	return nil
}

// allowed refuses statements that run well and end in something else than on the source, or than promised.
func (a *Applier) allowed(ctx context.Context, d *schema.DDL) error {
	if d.Unencrypted && !a.cfg.AllowUnencrypted {
		return &change.Fault{Code: "BS-DDL-UNENCRYPTED", Class: change.ClassPerson, Where: names(d),
			What: "a " + d.Kind.String() + " asks for a table without encryption at rest",
			Next: "set target.at_rest.require to skip if the target may hold unencrypted tables, then start again"}
	}
	if !d.NumbersRows {
		return nil
	}
	def, err := a.catalog.Table(ctx, d.Tables[0].Schema, d.Tables[0].Table)
	if err != nil {
		return err
	}
	if def.Identity == nil {
		return &change.Fault{Code: "BS-DDL-NUMBERS-ROWS", Class: change.ClassPerson, Where: def.String(),
			What: "an " + d.Kind.String() + " numbers the rows of a keyless table, whose order differs between the servers",
			Next: "load the table again from the source at a later position"}
	}
	return nil
}

// ddlEpoch stands for a DDL's transaction where faults want an epoch.
func ddlEpoch(t *change.Txn) *epoch { return &epoch{first: t.Start, end: t.End, transactions: 1} }

// record commits the checkpoint, with an intent or without, in a transaction of its own under the epoch a.epoch.
func (a *Applier) record(ctx context.Context, intent *checkpoint.Intent) error {
	leader := a.leaders[a.epoch%2]
	cp := a.cp
	w, err := a.begin(ctx, leader, a.epoch, checkpoint.Record{Checkpoint: &cp, Intent: intent})
	if err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := a.commit(ctx, leader, a.epoch); err != nil {
		return err
	}
	a.claim.Committed(leader.no, a.epoch)
	return nil
}

// runDDL runs the statement on a session of its own, in the context that its event carries, so that nothing of that
// context stays behind. The session is registered and holds the claim's lock before the intent is committed: a DDL
// outlives its client, and the next owner must be able to end it.
func (a *Applier) runDDL(ctx context.Context, t *change.Txn, d *schema.DDL) error {
	conn, err := a.cfg.Target.Open(ctx, mysqlconn.SessionOptions{Init: mysqlconn.TargetInit(ddlWaitTimeout, ddlLockWait)})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	sql, err := a.intend(ctx, conn, t, d)
	if err != nil {
		return a.failed(ctx, ddlEpoch(t), err, false)
	}
	crashpoint.Reach(crashpoint.IntentCommit)
	ddl := &session{conn: conn, used: time.Now()}
	a.ddl.Store(ddl) // From here on it is kept alive and looked after like the others.
	defer a.ddl.Store(nil)
	if err := execDDL(ctx, ddl, t.DDL, sql); err != nil {
		return a.withdraw(ctx, t, ddlFailed(ctx, t, d, err), mysqlconn.Ambiguous(err))
	}
	crashpoint.Reach(crashpoint.DDLDone)
	a.forgetTables()
	a.cfg.Logger.Info("statement applied", "kind", d.Kind.String(), "position", position(t.Start, t.GTID))
	return nil
}

// withdraw takes the intent back when the target has refused the statement, which therefore has not run (DDL is atomic
// since MySQL 8.0). The operator mends the table that it names and starts again: with the intent still in the record,
// the changed fingerprint would tell that the statement had run, and it would be skipped.
func (a *Applier) withdraw(ctx context.Context, t *change.Txn, err error, ambiguous bool) error {
	if ambiguous || !change.Halts(err) {
		return err // Tried again at once; the fingerprint tells whether it ran.
	}
	a.epoch++
	if rerr := a.record(ctx, nil); rerr != nil {
		return a.failed(ctx, ddlEpoch(t), rerr, false)
	}
	return err
}

func (a *Applier) forgetTables() {
	a.catalog.Forget()
	clear(a.tables)
}

// intend commits the record that tells a later run whether the statement ran, and gives the text to run.
func (a *Applier) intend(ctx context.Context, conn *mysqlconn.Session, t *change.Txn, d *schema.DDL) (sql string, err error) {
	if err := a.claim.Register(ctx, conn); err != nil {
		return "", err
	}
	if err := a.claim.GuardStatement(ctx, conn); err != nil {
		return "", err
	}
	intent, err := a.intent(ctx, t, d)
	if err != nil {
		return "", err
	}
	sql = d.SQL
	if d.Kind == schema.RenameTable {
		intent.Witness = a.witness()
		if err := makeWitness(ctx, conn, intent.Witness); err != nil {
			return "", err
		}
		sql = d.Witnessed(witnessNames(intent.Witness))
	}
	a.epoch++
	return sql, a.record(ctx, intent)
}

// intent describes what is about to run.
func (a *Applier) intent(ctx context.Context, t *change.Txn, d *schema.DDL) (*checkpoint.Intent, error) {
	fingerprint, err := schema.Fingerprint(ctx, a.meta, d.Tables, d.Databases)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(d.SQL))
	intent := &checkpoint.Intent{Statement: hex.EncodeToString(sum[:]), Fingerprint: fingerprint, Databases: d.Databases, Idempotent: d.Idempotent, After: a.cp}
	for _, name := range d.Tables {
		intent.Tables = append(intent.Tables, name.Schema+"\x00"+name.Table)
	}
	gtids := a.gtids.Clone()
	gtids.Add(t.GTID)
	intent.After.Pos, intent.After.GTIDs, intent.After.CommitTime = t.End, gtids.String(), t.CommitTime
	return intent, nil
}

// execDDL sets the statement's context and runs it.
func execDDL(ctx context.Context, ddl *session, st *change.Statement, sql string) error {
	if st.Database != "" {
		// The default database may be one that the target does not have; the statement then names its own.
		if _, err := ddl.exec(ctx, "USE "+schema.QuoteName(st.Database)); err != nil {
			if n, _ := mysqlconn.Number(err); n != 1049 {
				return err
			}
		}
	}
	set, err := schema.SessionStatements(st.Session)
	if err != nil {
		return err
	}
	for _, s := range set {
		if _, err := ddl.exec(ctx, s); err != nil {
			return err
		}
	}
	_, err = ddl.exec(ctx, sql)
	return err
}

func ddlFailed(ctx context.Context, t *change.Txn, d *schema.DDL, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if change.FaultOf(err) != nil {
		return at(err, t)
	}
	if _, server := mysqlconn.Number(err); !server || mysqlconn.Retryable(err) || mysqlconn.LockConflict(err) {
		return fmt.Errorf("apply %s at %s: %w", d.Kind, position(t.Start, t.GTID), mysqlconn.Describe("target", "execute DDL", err))
	}
	return &change.Fault{Code: "BS-DDL-FAILED", Class: change.ClassPerson, Where: position(t.Start, t.GTID),
		What: "the target refuses a " + d.Kind.String() + " of " + names(d), Err: mysqlconn.Describe("target", "execute DDL", err),
		Next: "make the objects it names on the target what they were on the source at that position, then start again"}
}

// names lists the objects of a DDL, for messages.
func names(d *schema.DDL) string {
	var all []string
	for _, n := range d.Tables {
		all = append(all, n.Schema+"."+n.Table)
	}
	return strings.Join(append(all, d.Databases...), ", ")
}

// settle finishes what the record says about a DDL that was about to run: if it ran, its checkpoint is recorded;
// if it did not, it will come again from the source. The claim has made sure that no old session still runs it.
func (a *Applier) settle(ctx context.Context, intent *checkpoint.Intent) error {
	ran, err := a.ran(ctx, intent)
	if err != nil {
		return err
	}
	a.cfg.Logger.Info("statement settled after a restart", "position", a.cp.Pos.String(), "ran", ran)
	if !ran {
		return nil
	}
	after, err := change.ParseGTIDSet(intent.After.GTIDs)
	if err != nil {
		return fmt.Errorf("DDL intent: %w", err)
	}
	a.advance(intent.After.Pos, after, intent.After.CommitTime)
	return a.record(ctx, nil)
}

func (a *Applier) ran(ctx context.Context, intent *checkpoint.Intent) (bool, error) {
	if intent.Witness != "" {
		return a.witnessMoved(ctx, intent.Witness)
	}
	var tables []schema.Name
	for _, t := range intent.Tables {
		s, name, _ := strings.Cut(t, "\x00")
		tables = append(tables, schema.Name{Schema: s, Table: name})
	}
	now, err := schema.Fingerprint(ctx, a.meta, tables, intent.Databases)
	if err != nil {
		return false, err
	}
	// An unchanged fingerprint: it did not run, or running it again changes nothing that can be seen.
	return now != intent.Fingerprint, nil
}
