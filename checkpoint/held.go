package checkpoint

import (
	"encoding/hex"
	"fmt"
)

// heldTable has the statements on triggers and events that were not run: a trigger on the target would fire again for
// each applied row. The texts are as the source's sessions wrote them, with their context; they are schema, not rows,
// and are as encrypted at rest as the rest of the target. Epochs order them. table_name is a trigger's table by its
// present name; default_schema and context are what the statement is to be run under at cutover.
const heldTable = "CREATE TABLE IF NOT EXISTS `binseal`.`held` (" +
	"stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, epoch BIGINT UNSIGNED NOT NULL, " +
	"position VARCHAR(500) CHARACTER SET utf8mb4 NOT NULL, kind VARCHAR(20) CHARACTER SET ascii NOT NULL, " +
	"schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, " +
	"name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, " +
	"table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, " +
	"default_schema VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, " +
	"context TEXT CHARACTER SET utf8mb4 NOT NULL, statement LONGBLOB NOT NULL, PRIMARY KEY (stream, epoch)) ENGINE=InnoDB"

// HeldKind is TRIGGER or EVENT, whose names do not meet.
type HeldKind string

// The kinds of held objects.
const (
	HeldTrigger HeldKind = "TRIGGER"
	HeldEvent   HeldKind = "EVENT"
)

// Held is a statement that is kept until cutover.
type Held struct {
	Position      string // Of the source's log.
	Kind          HeldKind
	Schema, Name  string
	Table         string // Of a trigger; in Schema.
	DefaultSchema string
	Context       string // The session context, JSON.
	Statement     string
}

// Hold is the SQL that keeps a statement, under the epoch of the record that it is committed with.
func (c *Claim) Hold(epoch uint64, h Held) string {
	statement := "''"
	if h.Statement != "" {
		statement = "0x" + hex.EncodeToString([]byte(h.Statement))
	}
	return fmt.Sprintf("INSERT INTO `binseal`.`held` VALUES (%s,%d,%s,%s,%s,%s,%s,%s,%s,%s)", quote(c.opts.Stream), epoch, quote(h.Position),
		quote(string(h.Kind)), quote(h.Schema), quote(h.Name), quote(h.Table), quote(h.DefaultSchema), quote(h.Context), statement)
}

// DropHeld is the SQL for DROP TRIGGER and DROP EVENT: all that was kept of the object goes.
func (c *Claim) DropHeld(kind HeldKind, schema, name string) string {
	return c.dropHeld() + fmt.Sprintf(" AND kind=%s AND schema_name=%s AND name=%s", quote(string(kind)), quote(schema), quote(name))
}

// DropHeldOfTable is the SQL for DROP TABLE, which takes the table's triggers with it.
func (c *Claim) DropHeldOfTable(schema, table string) string {
	return c.dropHeld() + fmt.Sprintf(" AND kind='TRIGGER' AND schema_name=%s AND table_name=%s", quote(schema), quote(table))
}

// DropHeldOfSchema is the SQL for DROP DATABASE.
func (c *Claim) DropHeldOfSchema(schema string) string {
	return c.dropHeld() + " AND schema_name=" + quote(schema)
}

func (c *Claim) dropHeld() string {
	return "DELETE FROM `binseal`.`held` WHERE stream=" + quote(c.opts.Stream)
}

// RenameHeldEvent is the SQL for ALTER EVENT … RENAME TO: from then on all that was kept goes by the new name.
func (c *Claim) RenameHeldEvent(schema, name, toSchema, toName string) string {
	return fmt.Sprintf("UPDATE `binseal`.`held` SET schema_name=%s, name=%s WHERE stream=%s AND kind='EVENT' AND schema_name=%s AND name=%s",
		quote(toSchema), quote(toName), quote(c.opts.Stream), quote(schema), quote(name))
}

// RenameHeldTable is the SQL for RENAME TABLE. A table with triggers cannot leave its schema.
func (c *Claim) RenameHeldTable(schema, table, to string) string {
	return fmt.Sprintf("UPDATE `binseal`.`held` SET table_name=%s WHERE stream=%s AND kind='TRIGGER' AND schema_name=%s AND table_name=%s",
		quote(to), quote(c.opts.Stream), quote(schema), quote(table))
}
