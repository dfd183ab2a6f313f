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
	v, err := a.cfg.Rules.Judge(t.DDL)
	if err != nil {
		return at(err, t)
	}
	if v.Rule > 0 {
		a.cfg.Logger.Info("statement decided by a rule", "rule", v.Rule, "action", string(v.Action), "kind", v.Kind, "position", position(t.Start, t.GTID))
	}
	run, err := v.Concerns(a.cfg.Filter, a.cfg.Routes)
	if err != nil {
		return at(v.AllowedBy(err), t)
	}
	if run {
		if v, t, err = a.route(v, t); err != nil {
			return err
		}
	}
	if !t.Last {
		return a.createHead(ctx, t, v, run)
	}
	did := Progress{Transactions: 1, LogBytes: t.LogBytes, DDL: true, Rule: v.Action}
	var held []string
	switch {
	case !run:
		a.cfg.Logger.Info("statement skipped", "kind", v.Kind, "position", position(t.Start, t.GTID))
	case v.DDL.Kind.Held() && !v.DDL.Blind:
		if held, err = a.holds(t, v.DDL, a.epoch+1); err != nil {
			return err
		}
		did.Held = true
		a.cfg.Logger.Info("statement held until cutover", "kind", v.Kind, "position", position(t.Start, t.GTID))
	default:
		if err := a.allowed(ctx, v); err != nil {
			return at(err, t)
		}
		held = a.heldBy(v.DDL)
		if did.Redefined, err = a.runDDL(ctx, t, v, held); err != nil {
			return err
		}
	}
	var gtids change.GTIDSet
	t.AddTo(&gtids)
	a.advance(t.End, gtids, t.CommitTime, t.Undecided)
	a.prove(t.Evidence)
	return a.recordDDL(ctx, t, did, held)
}

// route gives the verdict and the transaction of a statement under the target's names; from there on all that looks
// at them (fingerprints, held objects, the default database) is the target's.
func (a *Applier) route(v *schema.Verdict, t *change.Txn) (*schema.Verdict, *change.Txn, error) {
	routed, st, err := a.cfg.Routes.Statement(v, t.DDL, a.cfg.Filter)
	if err != nil {
		return nil, nil, at(v.AllowedBy(err), t)
	}
	txn := *t
	txn.DDL = st
	return routed, &txn, nil
}

// recordDDL commits the record that a statement has been dealt with, together with what it changes among the held ones.
func (a *Applier) recordDDL(ctx context.Context, t *change.Txn, did Progress, held []string) error {
	if err := a.record(ctx, nil, held...); err != nil {
		return a.failed(ctx, ddlEpoch(t), err, false)
	}
	crashpoint.Reach(crashpoint.DDLRecorded)
	did.Checkpoint, did.Epoch = a.cp, a.epoch
	a.cfg.Observer.Committed(did)
	return nil
}

// createHead runs the CREATE of a CREATE TABLE … SELECT. Its rows follow in the same source transaction, but a CREATE
// commits by itself. So the checkpoint stays before the transaction, and the record names it as created:
//
//	intent: at 100, after that: at 100 with uuid:7 created
//	CREATE TABLE shop.copy (…)
//	done:   at 100 with uuid:7 created
//	BEGIN, at 250 with uuid:1-7, rows, COMMIT
//
// A run that starts again at 100 reads uuid:7 again from its begin. If the record names it, the CREATE has run, and
// only the rows are missing: none of them can be there, since they commit with the checkpoint 250.
func (a *Applier) createHead(ctx context.Context, t *change.Txn, v *schema.Verdict, run bool) error {
	switch {
	case !run: // The reader has dropped the rows of excluded tables.
		a.cfg.Logger.Info("statement skipped", "kind", v.Kind, "position", position(t.Start, t.GTID))
		return nil
	case !v.DDL.OpensTransaction && !v.DDL.Blind:
		return at(&change.Fault{Code: "BS-DDL-UNSUPPORTED", Class: change.ClassPerson, What: "a " + v.Kind + " stands inside a transaction",
			Next: "make its change on the target by hand, then skip the transaction (binseal position skip)"}, t)
	case a.cp.Created == created(t):
		return nil
	}
	if err := a.allowed(ctx, v); err != nil {
		return at(err, t)
	}
	if _, err := a.runDDL(ctx, t, v, nil); err != nil {
		return err
	}
	a.epoch++
	a.cp.Created = created(t)
	return a.recordDDL(ctx, t, Progress{DDL: true, Rule: v.Action, LogBytes: t.LogBytes}, nil)
}

// created names a transaction in Checkpoint.Created.
func created(t *change.Txn) string {
	if t.GTID.IsZero() {
		return t.Start.String()
	}
	return t.GTID.String()
}

// allowed refuses statements that run well and end in something else than on the source, or than promised.
func (a *Applier) allowed(ctx context.Context, v *schema.Verdict) error {
	d := v.DDL
	if d.Unencrypted && !a.cfg.AllowUnencrypted {
		return &change.Fault{Code: "BS-DDL-UNENCRYPTED", Class: change.ClassPerson, Where: names(d),
			What: "a " + d.Kind.String() + " asks for a table without encryption at rest",
			Next: "set target.at_rest.require to skip if the target may hold unencrypted tables, then start again"}
	}
	if d.ByIDs && v.Action != schema.Apply {
		if _, err := a.storageIDs(ctx, d.Tables); err != nil {
			return v.AllowedBy(err)
		}
	}
	if !d.NumbersRows {
		return nil
	}
	def, err := a.catalog.Table(ctx, d.Tables[0].Schema, d.Tables[0].Table)
	if err != nil {
		return err
	}
	if def.Identity == nil {
		return v.AllowedBy(&change.Fault{Code: "BS-DDL-NUMBERS-ROWS", Class: change.ClassPerson, Where: def.String(),
			What: "an " + d.Kind.String() + " numbers the rows of a keyless table, whose order differs between the servers",
			Next: "load the table again from the source at a later position"})
	}
	return nil
}

// ddlEpoch stands for a DDL's transaction where faults want an epoch.
func ddlEpoch(t *change.Txn) *epoch { return &epoch{first: t.Start, end: t.End, transactions: 1} }

// record commits the checkpoint, with an intent or without, in a transaction of its own under the epoch a.epoch.
// statements on the held ones go with it.
func (a *Applier) record(ctx context.Context, intent *checkpoint.Intent, held ...string) error {
	leader := a.leaders[a.epoch%2]
	cp := a.cp
	w, err := a.begin(ctx, leader, a.epoch, checkpoint.Record{Checkpoint: &cp, Intent: intent})
	if err != nil {
		return err
	}
	for _, sql := range held {
		if err := w.plain(sql, expectation{count: anyCount, verb: "HOLD"}); err != nil {
			return err
		}
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
// outlives its client, and the next owner must be able to end it. redefined reports that the applier's account has
// become the object's definer.
func (a *Applier) runDDL(ctx context.Context, t *change.Txn, v *schema.Verdict, held []string) (redefined bool, err error) {
	d := v.DDL
	conn, err := a.cfg.Target.Open(ctx, mysqlconn.SessionOptions{Init: mysqlconn.TargetInit(ddlWaitTimeout, ddlLockWait)})
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	sql, err := a.intend(ctx, conn, t, d, held)
	if err != nil {
		return false, a.failed(ctx, ddlEpoch(t), err, false)
	}
	crashpoint.Reach(crashpoint.IntentCommit)
	ddl := &session{conn: conn, used: time.Now()}
	a.ddl.Store(ddl) // From here on it is kept alive and looked after like the others.
	defer a.ddl.Store(nil)
	if err := execDDL(ctx, ddl, t.DDL, sql); err != nil {
		return false, a.withdraw(ctx, t, ddlFailed(ctx, t, v, err), mysqlconn.Ambiguous(err))
	}
	crashpoint.Reach(crashpoint.DDLDone)
	a.forgetTables()
	_, redefined = d.WithoutDefiner()
	if redefined {
		a.cfg.Logger.Info("definer replaced by the applier's account", "kind", v.Kind, "position", position(t.Start, t.GTID))
	}
	a.cfg.Logger.Info("statement applied", "kind", v.Kind, "position", position(t.Start, t.GTID))
	return redefined, nil
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
	clear(a.bySource)
}

// intend commits the record that tells a later run whether the statement ran, and gives the text to run.
func (a *Applier) intend(ctx context.Context, conn *mysqlconn.Session, t *change.Txn, d *schema.DDL, held []string) (sql string, err error) {
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
	intent.Held = held
	sql, _ = d.WithoutDefiner()
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
	var routines []schema.Name
	if d.Object.Table != "" {
		routines = []schema.Name{d.Object}
	}
	fingerprint, err := schema.Fingerprint(ctx, a.meta, d.Tables, d.Databases, routines...)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(d.SQL))
	intent := &checkpoint.Intent{Statement: hex.EncodeToString(sum[:]), Fingerprint: fingerprint, Databases: d.Databases, Idempotent: d.Idempotent, Blind: d.Blind, After: a.cp,
		Tables: packed(d.Tables), Routines: packed(routines)}
	if d.ByIDs {
		intent.StorageIDs, err = a.storageIDs(ctx, d.Tables)
		if intent.Blind = change.FaultOf(err) != nil; err != nil && !intent.Blind { // Blind by a rule: see allowed.
			return nil, err
		}
	}
	if !t.Last {
		intent.After.Created = created(t)
		return intent, nil
	}
	gtids := a.gtids.Clone()
	t.AddTo(&gtids)
	intent.After.Pos, intent.After.GTIDs, intent.After.CommitTime, intent.After.Undecided = t.End, gtids.String(), t.CommitTime, t.Undecided
	if !t.Evidence.IsZero() {
		intent.After.Evidence = t.Evidence
	}
	return intent, nil
}

// packed and unpacked are the form of names in a record.
func packed(names []schema.Name) []string {
	var list []string
	for _, n := range names {
		list = append(list, n.Schema+"\x00"+n.Table)
	}
	return list
}

func unpacked(list []string) []schema.Name {
	var names []schema.Name
	for _, s := range list {
		db, name, _ := strings.Cut(s, "\x00")
		names = append(names, schema.Name{Schema: db, Table: name})
	}
	return names
}

// execDDL sets the statement's context and runs it.
func execDDL(ctx context.Context, ddl *session, st *change.Statement, sql string) error {
	if st.Database != "" {
		// The default database may be one that the target does not have, or not for us; the statement then names its own.
		if _, err := ddl.exec(ctx, "USE "+schema.QuoteName(st.Database)); err != nil {
			if n, _ := mysqlconn.Number(err); n != 1049 && n != 1044 { // ER_BAD_DB_ERROR, ER_DBACCESS_DENIED_ERROR
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

func ddlFailed(ctx context.Context, t *change.Txn, v *schema.Verdict, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	number, server := mysqlconn.Number(err)
	f := change.FaultOf(err)
	if f != nil && f.Class != change.ClassPerson {
		return at(err, t)
	}
	if f == nil && !server || mysqlconn.Retryable(err) || mysqlconn.LockConflict(err) {
		return fmt.Errorf("apply %s at %s: %w", v.Kind, position(t.Start, t.GTID), mysqlconn.Describe("target", "execute DDL", err))
	}
	if f != nil { // The context of the source's session cannot be set here.
		return at(v.AllowedBy(err), t)
	}
	next := "make the objects it names on the target what they were on the source at that position, then start again"
	switch number {
	case 1418, 1419: // ER_BINLOG_UNSAFE_ROUTINE, ER_BINLOG_CREATE_ROUTINE_NEED_SUPER.
		next = "set log_bin_trust_function_creators=1 on the target, then start again"
	case 1044, 1142, 1370: // ER_DBACCESS_DENIED, ER_TABLEACCESS_DENIED, ER_PROCACCESS_DENIED.
		next = "grant the applier's account what docs/operations.md lists, then start again"
	}
	what := "the target refuses a statement of kind " + v.Kind
	if of := names(v.DDL); of != "" {
		what += ", on " + of
	}
	return at(v.AllowedBy(&change.Fault{Code: "BS-DDL-FAILED", Class: change.ClassPerson, What: what, Err: mysqlconn.Describe("target", "execute DDL", err), Next: next}), t)
}

// names lists the objects of a DDL, for messages.
func names(d *schema.DDL) string {
	var all []string
	for _, n := range d.Tables {
		all = append(all, n.Schema+"."+n.Table)
	}
	if d.Object.Table != "" {
		all = append(all, d.Object.Schema+"."+d.Object.Table)
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
	end := intent.After.Pos
	if intent.After.Source.ServerUUID != a.cp.Source.ServerUUID {
		end = change.Position{} // Another server of the same history goes on: see replicator, Admit.
	}
	a.advance(end, after, intent.After.CommitTime, intent.After.Undecided)
	a.prove(intent.After.Evidence)
	a.cp.Created = intent.After.Created
	return a.record(ctx, nil, intent.Held...)
}

func (a *Applier) ran(ctx context.Context, intent *checkpoint.Intent) (bool, error) {
	if intent.Witness != "" {
		return a.witnessMoved(ctx, intent.Witness)
	}
	if intent.Blind {
		return false, inDoubt(a.cp.Pos, "a statement that a rule let through")
	}
	if intent.StorageIDs != "" {
		ids, err := a.storageIDs(ctx, unpacked(intent.Tables))
		if err != nil || ids != intent.StorageIDs {
			return err == nil, err
		}
	}
	now, err := schema.Fingerprint(ctx, a.meta, unpacked(intent.Tables), intent.Databases, unpacked(intent.Routines)...)
	if err != nil {
		return false, err
	}
	// An unchanged fingerprint: it did not run, or running it again changes nothing that can be seen.
	return now != intent.Fingerprint, nil
}
