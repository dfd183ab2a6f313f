package rowimage

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/schema"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// lab is a real server with a binary log: what the source wrote is read from the log and applied to the same server,
// into another schema, in a session like the applier's.
type lab struct {
	*testmysql.Server
	session *sql.Conn // As the package comment describes it.
}

func newLab(t *testing.T, rowMetadata string) *lab {
	t.Helper()
	o := testmysql.SourceOptions()
	o.RowMetadata = rowMetadata
	l := &lab{Server: testmysql.StartT(t, o)}
	if err := l.CreateReplicationUser(t.Context(), "repl", "secret"); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.session, err = l.DB().Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.session.Close() })
	l.exec(t, "SET NAMES utf8mb4")
	l.exec(t, "SET time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'")
	l.exec(t, "SET explain_json_format_version=1") // Version 2 does not explain UPDATE.
	l.Exec(t, "CREATE DATABASE src", "CREATE DATABASE dst")
	return l
}

// exec runs a statement in the applier's session.
func (l *lab) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := l.session.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// count runs a query that gives one number, in the applier's session.
func (l *lab) count(t *testing.T, query string) int {
	t.Helper()
	var n int
	if err := l.session.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// position is the end of the binary log.
func (l *lab) position(t *testing.T) mysql.Position {
	t.Helper()
	row := l.QueryT(t, "SHOW BINARY LOG STATUS")[0]
	pos, err := strconv.ParseUint(row[1], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return mysql.Position{Name: row[0], Pos: uint32(pos)}
}

// changes reads the row changes between a position and the end of the log, over verified TLS, as raw events.
func (l *lab) changes(t *testing.T, from mysql.Position) []change.Row {
	t.Helper()
	end := l.position(t)
	if end == from {
		return nil
	}
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 4711, Flavor: "mysql", Host: "127.0.0.1", Port: uint16(l.Port), User: "repl", Password: "secret",
		TLSConfig: l.TLSConfig(), RawModeEnabled: true, Logger: slog.New(slog.DiscardHandler),
	})
	defer syncer.Close()
	stream, err := syncer.StartSync(from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tables := map[uint64]*change.TableMap{}
	var rows []change.Row
	for {
		e, err := stream.GetEvent(ctx)
		if err != nil {
			t.Fatal(err)
		}
		const header, checksum = 19, 4
		if typ := e.Header.EventType; typ == replication.TABLE_MAP_EVENT {
			id, m, err := ParseTableMap(e.RawData[header : len(e.RawData)-checksum])
			if err != nil {
				t.Fatal(err)
			}
			tables[id] = m
		} else if _, _, ok := rowsOp(byte(typ)); ok {
			rows = append(rows, parseRows(t, byte(typ), e.RawData[header:len(e.RawData)-checksum], tables)...)
		}
		if e.Header.LogPos >= end.Pos && e.Header.EventType != replication.FORMAT_DESCRIPTION_EVENT {
			return rows
		}
	}
}

func parseRows(t *testing.T, typ byte, body []byte, tables map[uint64]*change.TableMap) []change.Row {
	t.Helper()
	e, err := ParseRowsHeader(typ, body)
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.Header(tables[e.TableID])
	if err != nil {
		t.Fatal(err)
	}
	split := Split
	if e.Diffs {
		split = SplitDiffs
	}
	rows, err := split(h, e.Data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// table describes a table of the target, as the schema package would. All keys are taken for weighed.
func (l *lab) table(t *testing.T, db, name string) *schema.Table {
	t.Helper()
	tab := &schema.Table{Schema: db, Name: name, Engine: "InnoDB"}
	index := map[string]int{}
	for _, c := range l.QueryT(t, `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, IFNULL(CHARACTER_SET_NAME,''),
		IFNULL(COLLATION_NAME,''), IFNULL((SELECT id FROM information_schema.COLLATIONS x WHERE x.COLLATION_NAME=c.COLLATION_NAME),0),
		IFNULL(CHARACTER_OCTET_LENGTH,0), IFNULL(NUMERIC_PRECISION,0), IFNULL(NUMERIC_SCALE,0), IFNULL(DATETIME_PRECISION,0)
		FROM information_schema.COLUMNS c WHERE TABLE_SCHEMA=? AND TABLE_NAME=? ORDER BY ORDINAL_POSITION`, db, name) {
		index[c[0]] = len(tab.Columns)
		extra := strings.ToUpper(c[4])
		col := schema.Column{
			Name: c[0], DataType: c[1], ColumnType: c[2], Unsigned: strings.Contains(c[2], "unsigned"), Nullable: c[3] == "YES",
			Invisible: strings.Contains(extra, "INVISIBLE"), OnUpdateNow: strings.Contains(extra, "ON UPDATE"), Charset: c[5], Collation: c[6],
			CollationID: uint16(number(t, c[7])), MaxBytes: int64(number(t, c[8])), Precision: number(t, c[9]), Scale: number(t, c[10]), FSP: number(t, c[11]),
		}
		switch {
		case strings.Contains(extra, "VIRTUAL GENERATED"):
			col.Generated = schema.VirtualColumn
		case strings.Contains(extra, "STORED GENERATED"):
			col.Generated = schema.StoredColumn
		}
		tab.Columns = append(tab.Columns, col)
	}
	keys := map[string]*schema.Key{}
	for _, k := range l.QueryT(t, `SELECT INDEX_NAME, COLUMN_NAME, IFNULL(SUB_PART,0) FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA=? AND TABLE_NAME=? AND NON_UNIQUE=0 ORDER BY INDEX_NAME='PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX`, db, name) {
		key := keys[k[0]]
		if key == nil {
			key = &schema.Key{Name: k[0], Weighed: true}
			keys[k[0]] = key
			if k[0] == "PRIMARY" {
				tab.Identity = key
			} else {
				tab.Secondary = append(tab.Secondary, key)
			}
		}
		key.Parts = append(key.Parts, schema.KeyPart{Column: index[k[1]], Prefix: number(t, k[2])})
	}
	return tab
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		n = 1<<63 - 1 // LONGTEXT has 4 GiB − 1; nothing is larger.
	}
	return int(n)
}
