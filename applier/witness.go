package applier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/checkpoint"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
)

// A RENAME that swaps two tables of the same definition leaves nothing by which to tell whether it ran. So a marker
// table is renamed in the same statement, which is atomic:
//
//	RENAME TABLE shop.a TO shop.x, shop.b TO shop.a, shop.x TO shop.b, binseal.witness_5f3a TO binseal.witness_5f3a_moved

// witnessNames are the marker's names before and after the rename.
func witnessNames(witness string) (from, to schema.Name) {
	return schema.Name{Schema: checkpoint.Schema, Table: witness}, schema.Name{Schema: checkpoint.Schema, Table: witness + "_moved"}
}

// witness is the marker's name: one per stream, whose owner alone uses it.
func (a *Applier) witness() string {
	sum := sha256.Sum256([]byte(a.cfg.Stream))
	return "witness_" + hex.EncodeToString(sum[:8])
}

// makeWitness creates the marker. One that an earlier RENAME left, moved or not, is of no use any more: the record
// of that statement has been settled.
func makeWitness(ctx context.Context, conn *mysqlconn.Session, witness string) error {
	from, to := witnessNames(witness)
	_, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+from.Quoted()+", "+to.Quoted()+"; CREATE TABLE "+from.Quoted()+" (id INT PRIMARY KEY) ENGINE=InnoDB")
	return err
}

// witnessMoved reports whether the statement that carried the marker has run.
func (a *Applier) witnessMoved(ctx context.Context, witness string) (bool, error) {
	from, to := witnessNames(witness)
	var before, after int
	err := a.meta.QueryRow(ctx, "SELECT COALESCE(SUM(TABLE_NAME=?),0), COALESCE(SUM(TABLE_NAME=?),0) FROM information_schema.TABLES WHERE TABLE_SCHEMA=?",
		from.Table, to.Table, checkpoint.Schema).Scan(&before, &after)
	if err != nil {
		return false, mysqlconn.Describe("target", "look for the witness of a RENAME", err)
	}
	if before == after {
		return false, inDoubt(a.cp.Pos, "a RENAME TABLE whose marker table is gone")
	}
	return after > 0, nil
}

// storageIDs are the witness of statements that leave definitions as they were, such as EXCHANGE PARTITION: the ids that
// InnoDB has given to the tables.
func (a *Applier) storageIDs(ctx context.Context, tables []schema.Name) (string, error) {
	ids, seen, err := schema.StorageIDs(ctx, a.meta, tables)
	const accessDenied = 1227 // ER_SPECIFIC_ACCESS_DENIED_ERROR
	if number, _ := mysqlconn.Number(err); number == accessDenied || err == nil && !seen {
		err = &change.Fault{Code: "BS-DDL-WITNESS", Class: change.ClassPerson,
			What: "after a crash nothing would tell whether an ALTER TABLE that exchanges partitions or columns has run: the ids of its tables cannot be seen in information_schema.INNODB_TABLES",
			Next: "GRANT PROCESS ON *.* to the applier's account (for names of tables in ASCII that is all), then start again"}
	}
	return ids, err
}

// inDoubt: the run before ended between intent and done, and nothing tells whether the statement ran.
func inDoubt(pos change.Position, what string) error {
	return &change.Fault{Code: "BS-DDL-DOUBT", Class: change.ClassPerson, Where: pos.String(),
		What: "it cannot be told whether a statement ran before the crash: " + what,
		Next: "compare the objects with the source, then answer: binseal position settle --ran, or --not-ran"}
}
