package rowimage

import (
	"strings"
	"testing"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/schema"

	"github.com/google/go-cmp/cmp"
)

// namedTable is a source's table (id, name, raw) whose names are in the log, and a target that has it as
// (raw, shop, id, name).
func namedTable() (*change.TableMap, *schema.Table) {
	m, table := tableOf(intColumn("id"), textColumn("name", "utf8mb4", utf8mb4AICI), varbinaryColumn("raw"))
	m.Names, m.PrimaryKey = []string{"id", "NAME", "raw"}, []int{0}
	shop := schema.Column{Name: "shop", DataType: "int", Nullable: true}
	table.Columns = []schema.Column{table.Columns[2], shop, table.Columns[0], table.Columns[1]}
	table.Identity = &schema.Key{Name: "PRIMARY", Weighed: true, NotNull: true, Parts: []schema.KeyPart{{Column: 2}}}
	table.Secondary = []*schema.Key{{Name: "u", Weighed: true, Parts: []schema.KeyPart{{Column: 3}, {Column: 1}}}}
	return m, table
}

func TestStatementsByName(t *testing.T) {
	m, table := namedTable()
	l := mustBind(t, m, table)
	a, b := image(int4(7), short("Ann"), long("x")), image(int4(7), short("Bob"), nil)
	call := func(out []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	set, _, err := l.AppendSet(nil, a, b)
	partial, unique, err2 := l.AppendPartialMatch(nil, []byte{0, 7, 0, 0, 0}, []byte{1})
	got := []string{l.InsertColumns(), call(l.AppendTuple(nil, a)), l.IdentityColumns(), call(l.AppendIdentity(nil, a)), call(l.AppendIdentityMatch(nil, a)),
		call(l.AppendMatch(nil, a)), call(set, err), call(partial, err2)}
	want := []string{"`id`,`name`,`raw`", "(7,'Ann',_binary'x')", "`id`", "7", "`id`=7", "`id`<=>7 AND CAST(`name` AS BINARY)<=>_binary'Ann' AND `raw`<=>_binary'x'",
		"`name`='Bob',`raw`=NULL", "`id`=7"}
	if diff := cmp.Diff(want, got); diff != "" || !unique {
		t.Errorf("unique is %v; %s", unique, diff)
	}
	if class := l.Table().Class; class != schema.Ordered {
		t.Errorf("class %v of a table with a unique key over a column that the images do not show", class)
	}
	if f := change.FaultOf(func() error { _, err := l.AppendTuple(nil, image(int4(7), nil, []byte{9})); return err }()); f != nil {
		t.Errorf("a damaged image is a fault: %v", f)
	}
}

// What only the target has is refused where a row of the source could not fill it, or could not be found.
func TestBindByNameRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(m *change.TableMap, t *schema.Table)
		where string // "" where it is not refused.
		next  string
	}{
		"nothing":                                {func(*change.TableMap, *schema.Table) {}, "", ""},
		"a column that the target does not have": {func(m *change.TableMap, _ *schema.Table) { m.Names[2] = "bare" }, "s.t, column `bare`", "definition"},
		"another type in the column of the name": {func(m *change.TableMap, _ *schema.Table) { m.Names[0], m.Names[1] = "NAME", "id" }, "s.t, column `name`", "definition"},
		"a column in addition, NOT NULL and without a default": {func(_ *change.TableMap, t *schema.Table) {
			t.Columns[1].Nullable, t.Columns[1].Default = false, schema.ImplicitDefault
		}, "s.t, column `shop`", "a default"},
		"a unique key over columns in addition alone, which take one value": {func(_ *change.TableMap, t *schema.Table) {
			t.Columns[1].Nullable, t.Secondary[0].Parts = false, []schema.KeyPart{{Column: 1}}
		}, "s.t", "AUTO_INCREMENT"},
		"the same with NULL": {func(_ *change.TableMap, t *schema.Table) { t.Secondary[0].Parts = []schema.KeyPart{{Column: 1}} }, "", ""},
		"the same with numbers": {func(_ *change.TableMap, t *schema.Table) {
			t.Columns[1].Nullable, t.Columns[1].Default, t.Secondary[0].Parts = false, schema.ComputedDefault, []schema.KeyPart{{Column: 1}}
		}, "", ""},
		"a primary key over a column in addition": {func(_ *change.TableMap, t *schema.Table) {
			t.Identity.Parts = []schema.KeyPart{{Column: 2}, {Column: 1}}
		}, "s.t", "(`id`)"},
		"the same for a source without a primary key": {func(m *change.TableMap, t *schema.Table) {
			t.Identity.Parts, m.PrimaryKey = []schema.KeyPart{{Column: 1}}, nil
		}, "", ""},
		"columns in addition and no names": {func(m *change.TableMap, _ *schema.Table) { m.Names = nil }, "s.t", "binlog_row_metadata=FULL"},
		"another order and no names": {func(m *change.TableMap, t *schema.Table) {
			m.Names, t.Secondary, t.Columns = nil, nil, append(t.Columns[:1:1], t.Columns[2:]...)
			t.Identity.Parts[0].Column = 1
		}, "s.t, column `raw`", "binlog_row_metadata=FULL"},
	} {
		t.Run(name, func(t *testing.T) {
			m, table := namedTable()
			c.edit(m, table)
			_, err := Bind(m, table)
			f := change.FaultOf(err)
			if c.where == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if f == nil || f.Code != CodeMismatch || f.Where != c.where || !strings.Contains(f.Next, c.next) {
				t.Errorf("got %+v, want it at %s and a next step with %q", f, c.where, c.next)
			}
		})
	}
}
