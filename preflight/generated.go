package preflight

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/binseal/binseal/schema"
)

// readGenerated finds the generated columns whose value, kept in the table or in a unique key, follows the session that
// wrote the row, and the unique keys over such an expression. Before MySQL 5.7 there are none.
func (s *server) readGenerated(ctx context.Context, q querier) error {
	if s.major() < 507 {
		return nil
	}
	defs, expressions, kept := map[*table]*schema.Table{}, map[*table][]string{}, map[*table][]bool{}
	err := each(ctx, q, "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, EXTRA, CHARACTER_OCTET_LENGTH, GENERATION_EXPRESSION"+
		" FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN "+s.schemaList()+" ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION", func(row []string) {
		t := s.tables[row[0]+"."+row[1]]
		if t == nil {
			return
		}
		if defs[t] == nil {
			defs[t] = &schema.Table{Schema: row[0], Name: row[1]}
		}
		c := schema.Column{Name: row[2], DataType: strings.ToLower(row[3])}
		c.MaxBytes, _ = strconv.ParseInt(row[5], 10, 64) // "" for columns that are no strings.
		if row[6] != "" {
			c.Generated = schema.VirtualColumn
		}
		stored := strings.Contains(strings.ToUpper(row[4]), "STORED") || strings.Contains(strings.ToUpper(row[4]), "PERSISTENT")
		defs[t].Columns = append(defs[t].Columns, c)
		expressions[t] = append(expressions[t], row[6])
		kept[t] = append(kept[t], stored)
	})
	if err != nil {
		return err
	}
	for t, def := range defs {
		schema.MarkGenerated(def, expressions[t])
	}
	err = each(ctx, q, "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE NON_UNIQUE=0 AND TABLE_SCHEMA IN "+s.schemaList(), func(row []string) {
		t := s.tables[row[0]+"."+row[1]]
		if def := defs[t]; def != nil {
			if i := slices.IndexFunc(def.Columns, func(c schema.Column) bool { return c.Name == row[2] }); i >= 0 {
				kept[t][i] = true
			}
		}
	})
	if err != nil {
		return err
	}
	// EXPRESSION is there since MySQL 8.0.13, as such keys are; a WHERE that finds nothing needs no column of that name.
	err = eachNamed(ctx, q, "SELECT * FROM information_schema.STATISTICS WHERE NON_UNIQUE=0 AND COLUMN_NAME IS NULL AND TABLE_SCHEMA IN "+s.schemaList(), func(row map[string]string) {
		t := s.tables[row["TABLE_SCHEMA"]+"."+row["TABLE_NAME"]]
		if def := defs[t]; def != nil && schema.ReadsZone(def, row["EXPRESSION"]) {
			t.zoned = append(t.zoned, t.name+", key "+row["INDEX_NAME"])
		}
	})
	for t, def := range defs {
		for i := range def.Columns {
			switch c := &def.Columns[i]; {
			case !kept[t][i]:
			case c.ZoneBound:
				t.zoned = append(t.zoned, t.name+"."+c.Name)
			case c.SessionBound:
				t.bound = append(t.bound, t.name+"."+c.Name)
			}
		}
	}
	return err
}

// generated reports them, as the target has them where it has the table.
func (c *checker) generated(all map[string]*table) {
	var zoned, bound []string
	for _, t := range sorted(all) {
		zoned, bound = append(zoned, t.zoned...), append(bound, t.bound...)
	}
	c.want(len(zoned) == 0, Finding{
		Code: "TABLES_GENERATED_ZONE", Severity: Must, Seen: count(len(zoned), "generated value") + " in a column or unique key, bound to the time zone of the session that writes", Objects: zoned,
		Why: "row changes do not tell the time zone in which the source has computed the value; the stream halts at the first change of such a table (BS-GENERATED-ZONE)",
		Fix: "on the target alone make it a column that is not generated (ALTER TABLE … MODIFY), or drop the key until cutover; or define it over a DATETIME on both sides; or exclude the table",
	})
	c.want(len(bound) == 0, Finding{
		Code: "TABLES_GENERATED_SESSION", Severity: Warn, Seen: count(len(bound), "generated column") + " that may follow settings of the session", Objects: bound,
		Why: "each row's value is proved after it is written, which costs a statement per row; the stream halts at a row whose value the target computes differently, since the session that wrote it on the source had other settings than MySQL's defaults (BS-GENERATED-SESSION)",
		Fix: "leave sql_mode, div_precision_increment, lc_time_names and block_encryption_mode at their defaults in the source's sessions; or on the target alone make it a column that is not generated",
	})
}
