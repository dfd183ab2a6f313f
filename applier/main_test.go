package applier

import (
	"context"
	"encoding/binary"
	"flag"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "400") // Cheap here; the command line has the last word.
	// The collations' library brings a logger that starts a goroutine when the process starts.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// Wire types of the test table's columns (field_types.h).
const (
	wireLong     = 3
	wireLonglong = 8
	wireVarchar  = 15
)

// modelTable is the table of most tests here:
//
//	CREATE TABLE shop.t (id VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, u INT NULL, w INT NULL, v INT NOT NULL,
//	                     UNIQUE (u), UNIQUE (w))
//
// unique says how many of the two secondary keys it has.
func modelTable(unique int) *schema.Table {
	t := &schema.Table{Schema: "shop", Name: "t", Engine: "InnoDB", Columns: []schema.Column{
		{Name: "id", DataType: "varchar", ColumnType: "varchar(20)", MaxBytes: 80, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", CollationID: 255},
		{Name: "u", DataType: "int", ColumnType: "int", Nullable: true},
		{Name: "w", DataType: "int", ColumnType: "int", Nullable: true},
		{Name: "v", DataType: "int", ColumnType: "int"},
	}}
	t.Identity = &schema.Key{Name: "PRIMARY", Parts: []schema.KeyPart{{Column: 0}}, Weighed: true, NotNull: true}
	for i := range unique {
		t.Secondary = append(t.Secondary, &schema.Key{Name: []string{"u", "w"}[i], Parts: []schema.KeyPart{{Column: 1 + i}}, Weighed: true})
	}
	return t
}

func modelMap() *change.TableMap {
	return &change.TableMap{Schema: "shop", Table: "t", Types: []byte{wireVarchar, wireLong, wireLong, wireLong},
		Meta: []uint16{80, 0, 0, 0}, Nullable: []byte{0b0110}}
}

// bound joins both sides of a test table.
func bound(t testing.TB, def *schema.Table, m *change.TableMap) *boundTable {
	t.Helper()
	layout, err := rowimage.Bind(m, def)
	if err != nil {
		t.Fatal(err)
	}
	return &boundTable{def: def, source: m, layout: layout}
}

// modelRow is a row of the model table; u and w are NULL when 0.
type modelRow struct {
	id      string
	u, w, v int32
}

// image is the row as the source's log has it: a null bitmap, then the values (rows_event.h).
func (r modelRow) image() []byte {
	img := []byte{0}
	img = append(append(img, byte(len(r.id))), r.id...)
	for i, n := range []int32{r.u, r.w, r.v} {
		if n == 0 && i < 2 {
			img[0] |= 1 << (i + 1)
			continue
		}
		img = binary.LittleEndian.AppendUint32(img, uint32(n))
	}
	return img
}

// parseModelRow is the inverse of image.
func parseModelRow(img []byte) modelRow {
	n := int(img[1])
	r := modelRow{id: string(img[2 : 2+n])}
	rest := img[2+n:]
	for i, to := range []*int32{&r.u, &r.w, &r.v} {
		if img[0]&(1<<(i+1)) == 0 {
			*to = int32(binary.LittleEndian.Uint32(rest))
			rest = rest[4:]
		}
	}
	return r
}

// rowsOf makes row changes of one event: an image for inserts and deletes, two for updates.
func rowsOf(m *change.TableMap, op change.Op, flags uint16, images ...[]byte) []change.Row {
	all := []byte{0xff, 0xff}
	h := &change.RowsHeader{Table: m, Op: op, Flags: flags, PresentBefore: all, PresentAfter: all, Full: true}
	var rows []change.Row
	switch op {
	case change.Insert:
		for _, img := range images {
			rows = append(rows, change.Row{RowsHeader: h, After: img})
		}
	case change.Delete:
		for _, img := range images {
			rows = append(rows, change.Row{RowsHeader: h, Before: img})
		}
	default:
		for i := 0; i < len(images); i += 2 {
			rows = append(rows, change.Row{RowsHeader: h, Before: images[i], After: images[i+1]})
		}
	}
	return rows
}

// txnAt makes a whole transaction that ends at byte n of the source's log.
func txnAt(n uint64, rows ...change.Row) *change.Txn {
	t := &change.Txn{First: true, Last: true, Rows: rows, LogBytes: 1, CommitTime: time.Unix(int64(n), 0),
		Start: change.Position{File: "binlog.000001", Pos: n - 1}, End: change.Position{File: "binlog.000001", Pos: n}}
	for _, r := range rows {
		t.Bytes += r.Size()
	}
	return t
}

// silent is an Observer that hears nothing.
type silent struct{}

func (silent) Committed(Progress)             {}
func (silent) Executed(time.Duration, int)    {}
func (silent) CommitTook(time.Duration)       {}
func (silent) TableOrdered(table, why string) {}
func (silent) Collected(rows, bytes int)      {}

// newTestApplier knows the tables given and has no sessions.
func newTestApplier(tables ...*boundTable) *Applier {
	a := &Applier{tables: map[schema.Name]*boundTable{}, bySource: map[*change.TableMap]*boundTable{}, spent: newSpentValues()}
	a.cfg.Logger, a.cfg.Observer, a.cfg.ByName = slog.New(slog.DiscardHandler), silent{}, ByName{}
	a.cfg.AtEnd = func(change.Position) bool { return false }
	a.cfg.Seen = func() (time.Time, time.Duration) { return time.Time{}, -time.Since(time.Unix(0, 0)) } // The source's clock stands where txnAt begins.
	for _, b := range tables {
		a.tables[schema.Name{Schema: b.def.Schema, Table: b.def.Name}] = b
	}
	return a
}

// mergeRows puts row changes into one epoch, as one transaction.
func mergeRows(ctx context.Context, a *Applier, rows []change.Row) (*epoch, error) {
	e := newEpoch()
	t := txnAt(10, rows...)
	if _, err := a.prepare(ctx, e, t); err != nil {
		return nil, err
	}
	if err := a.merge(e, t); err != nil {
		return nil, err
	}
	e.note(t)
	return e, nil
}
