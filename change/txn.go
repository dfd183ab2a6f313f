// Package change is the vocabulary that the stages share: transactions, row changes, positions, GTID sets and
// the identity of a source. It holds values only: no connections, no goroutines.
package change

import "time"

// Op is what happened to a row.
type Op uint8

// The kinds of row change.
const (
	Insert Op = iota + 1
	Update
	Delete
)

// String names the operation as SQL does.
func (o Op) String() string {
	if o > Delete {
		o = 0
	}
	return [...]string{"?", "INSERT", "UPDATE", "DELETE"}[o]
}

// Flags of a row event (rows_event.h, enum_flag). They are decided per event: any session of the source may
// switch foreign_key_checks at any time.
const (
	FlagStmtEnd            uint16 = 0x01
	FlagNoForeignKeyChecks uint16 = 0x02 // The source's session had foreign_key_checks=0.
	FlagRelaxedUnique      uint16 = 0x04 // The source's session had unique_checks=0.
	FlagSQLForeignKeys     uint16 = 0x10 // The source (9.6 and later) logs cascades itself; the replica must not repeat them.
)

// TableMap is what a TABLE_MAP event says about a table at its place in the log: the layout of the row images
// that follow. It is shared by all rows that use it and never changed.
// Layout: rows_event.h, Table_map_event.
type TableMap struct {
	Schema, Table string
	Types         []byte   // Wire type per column, MYSQL_TYPE_* (field_types.h).
	Meta          []uint16 // Type-specific metadata per column, as laid out by go-mysql and Table_map_event: see rowimage.
	Nullable      []byte   // Bitmap, a bit per column, low bit first.
	MariaDB       bool     // Of a MariaDB source, where some types mean something else; the event itself does not tell.

	// Optional metadata; nil when the source did not send it (before 8.0.1; Names needs binlog_row_metadata=FULL).
	Unsigned   []bool   // Per column; false for columns that are not numeric.
	Names      []string // Per column.
	PrimaryKey []int    // The columns of the primary key, by place; nil without one. It comes with Names.
	Collations []uint16 // Per column: collation id of character, ENUM and SET columns, 0 for others or when not sent.
	// Members are those of ENUM and SET columns, per column, in the column's character set. They come with Names.
	Members [][]string
}

// MayBeNull reports that a column takes NULL on the source.
func (m *TableMap) MayBeNull(i int) bool {
	return i/8 < len(m.Nullable) && m.Nullable[i/8]>>(i%8)&1 == 1
}

// Columns is the number of columns in the row images.
func (m *TableMap) Columns() int { return len(m.Types) }

// RowsHeader is what all rows of one rows event have in common.
type RowsHeader struct {
	Table *TableMap
	Op    Op
	Flags uint16 // The event's flags, see the Flag constants.
	// Bitmaps, a bit per column (low bit first), of the columns present in the images. PresentBefore is nil for
	// an insert, PresentAfter nil for a delete.
	PresentBefore, PresentAfter []byte
	// Full reports that both bitmaps have every column: only then can the change be merged.
	Full bool
}

// Row is one change of one row. The images are the raw bytes from the wire, from the null bitmap on, each
// exactly one image long. They are valid until the transaction is given back (Loan), and never written to before.
type Row struct {
	*RowsHeader
	Before, After []byte // Before is nil for an insert, After nil for a delete.
}

// Size is the memory that the row's images hold, in bytes.
func (r Row) Size() int { return len(r.Before) + len(r.After) }

// Statement is a statement of a QUERY event that is not part of a row-based transaction: DDL.
type Statement struct {
	SQL      string
	Database string // Default database, "" when none.
	MariaDB  bool   // It was written for MariaDB; SQL is what of it MariaDB executed.
	Session  SessionContext
	// LowerCaseNames: the source has lower_case_table_names=1 or 2, so the names of databases and tables mean their lower
	// case, under which its row events have them, however the text spells them.
	LowerCaseNames bool
}

// SessionContext is the part of the source's session that a QUERY event carries for its statement.
// Layout: statement_events.h, Query_event status variables. Nil pointers and empty strings: not carried.
type SessionContext struct {
	SQLMode            *uint64 // Bits of sql_mode (system_variables.h MODE_*).
	NoForeignKeyChecks bool    // OPTION_NO_FOREIGN_KEY_CHECKS of flags2.
	RelaxedUnique      bool    // OPTION_RELAXED_UNIQUE_CHECKS of flags2.
	AutoIsNull         bool    // OPTION_AUTO_IS_NULL of flags2.
	// Collation ids of character_set_client, collation_connection and collation_server; 0 when not carried.
	CharsetClient, CollationConnection, CollationServer uint16
	DefaultCollationUTF8MB4                             uint16 // default_collation_for_utf8mb4; 0 when not carried.
	CollationDatabase                                   uint16 // 0 when not carried.
	TimeZone                                            string
	LCTimeNames                                         uint16    // Id of lc_time_names' locale; 0 (en_US) when not carried.
	AutoIncrementIncrement, AutoIncrementOffset         uint16    // 0 when not carried.
	Timestamp                                           time.Time // Of the statement, with microseconds when carried.
	ExplicitDefaultsTS                                  *bool     // explicit_defaults_for_timestamp
	DDLXID                                              uint64
	DefaultTableEncryption                              *bool
	SQLRequirePrimaryKey                                *bool
}

// LagBasis says where a transaction's commit time comes from.
type LagBasis string

// The bases of a commit time, best first.
const (
	BasisImmediateCommit LagBasis = "immediate_commit_timestamp" // GTID event, microseconds (MySQL 8.0.1 and later).
	BasisEventHeader     LagBasis = "event_header_timestamp"     // 1 s resolution, the statement's start.
)

// Txn is one transaction of the source, or one part of a transaction that is larger than the reader's bound.
//
// Parts of a transaction arrive in order, with nothing between them; only the last has Last set, and only it has a
// valid End. A reader that fails inside a transaction never delivers its last part, so whoever holds the earlier
// parts must roll them back. Most transactions are one part: First and Last both set.
//
// A Txn with neither rows nor DDL moves the checkpoint only: an empty transaction, one of excluded tables, an XA
// PREPARE (of MySQL without a GTID, since the checkpoint's set does not have it yet), or, without a commit time, the
// begin of a new file of the log.
type Txn struct {
	GTID GTID
	// Prepared is set when the transaction decides an XA transaction (XA COMMIT, XA ROLLBACK): the GTID of the XA
	// PREPARE, which stays out of a checkpoint's set of MySQL until then.
	Prepared    GTID
	First, Last bool
	Start       Position  // Begin of the transaction's first event.
	End         Position  // Behind the transaction's last event: where to resume once it is applied.
	CommitTime  time.Time // Commit time on the source's clock.
	Basis       LagBasis
	Evidence    Evidence // In the last part; zero where the log shows none.
	Rows        []Row    // Row changes in the source's order. Empty for a transaction that concerns no included table.
	// DDL is set for a statement that defines objects; then Rows is empty. It is a transaction of its own, or the
	// first part of a CREATE TABLE … SELECT, whose rows come in the parts behind it.
	DDL      *Statement
	Bytes    int    // Memory held by Rows, in bytes.
	LogBytes uint64 // Length of this part in the source's binary log.
	// Undecided are the XA transactions that are prepared and not decided behind this one.
	Undecided Undecided

	Loan   *Loan  // Of its memory; nil when that may be kept.
	Number uint64 // In the loan, of this transaction or part, from 1.
}

// AddTo puts the GTIDs that the transaction completes into a set.
func (t *Txn) AddTo(set *GTIDSet) {
	set.Add(t.GTID)
	set.Add(t.Prepared)
}

// Whole reports that the transaction came in one part.
func (t *Txn) Whole() bool { return t.First && t.Last }
