package applier

import (
	"encoding/json"
	"fmt"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/schema"
)

// Triggers and events are not made on the target while the stream runs: their statements are kept in binseal.held, in
// the same commit as the checkpoint, and each later statement on their names or tables keeps that table right.

// holds gives the SQL that records a statement on a trigger or event, for the record of the given epoch.
func (a *Applier) holds(t *change.Txn, d *schema.DDL, epoch uint64) ([]string, error) {
	kind := checkpoint.HeldEvent
	switch d.Kind {
	case schema.DropEvent:
		return []string{a.claim.DropHeld(kind, d.Object.Schema, d.Object.Table)}, nil
	case schema.DropTrigger:
		return []string{a.claim.DropHeld(checkpoint.HeldTrigger, d.Object.Schema, d.Object.Table)}, nil
	}
	session, err := json.Marshal(t.DDL.Session)
	if err != nil {
		return nil, fmt.Errorf("hold a %s: %w", d.Kind, err)
	}
	h := checkpoint.Held{Position: position(t.Start, t.GTID), Kind: kind, Schema: d.Object.Schema, Name: d.Object.Table,
		DefaultSchema: t.DDL.Database, Context: string(session), Statement: d.SQL}
	if d.Kind == schema.CreateTrigger {
		h.Kind, h.Table = checkpoint.HeldTrigger, d.Tables[0].Table
	}
	sql := []string{a.claim.Hold(epoch, h)}
	for _, p := range d.Rename { // The new row goes by the new name as well.
		sql = append(sql, a.claim.RenameHeldEvent(p.From.Schema, p.From.Table, p.To.Schema, p.To.Table))
	}
	return sql, nil
}

// heldBy gives the SQL by which a statement on tables or databases changes what is held.
func (a *Applier) heldBy(d *schema.DDL) []string {
	var sql []string
	switch d.Kind {
	case schema.DropTable:
		for _, t := range d.Tables {
			sql = append(sql, a.claim.DropHeldOfTable(t.Schema, t.Table))
		}
	case schema.DropDatabase:
		for _, db := range d.Databases {
			sql = append(sql, a.claim.DropHeldOfSchema(db))
		}
	case schema.RenameTable, schema.AlterTable:
		for _, p := range d.Rename {
			if p.From.Schema == p.To.Schema {
				sql = append(sql, a.claim.RenameHeldTable(p.From.Schema, p.From.Table, p.To.Table))
			}
		}
	}
	return sql
}
