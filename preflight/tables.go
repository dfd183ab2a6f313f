package preflight

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/binseal/binseal/schema"
)

// table is an included base table as one server's information_schema shows it to the account.
type table struct {
	name      string      // schema.table
	source    schema.Name // Its name on the source: another one where tables.rename routes it.
	schema    string
	base      string
	kind      tableKind
	engine    string
	encrypted bool // CREATE_OPTIONS has ENCRYPTION='Y': InnoDB's own encryption of the tablespace.
	columns   []column
	keyed     bool       // Has a primary key, or a unique key of whole NOT NULL columns.
	primary   bool       // Has a primary key.
	keys      [][]string // The columns of each key that makes it keyed.
	cascades  []string   // Foreign keys with CASCADE, SET NULL or SET DEFAULT.
	triggers  []string   // Only those that the account may see.
	zoned     []string   // Generated columns that are kept, and unique keys, that follow the session's time zone (schema.Column.ZoneBound),
	bound     []string   // and columns that may follow other settings of it (SessionBound).
}

// column is what both servers must agree on.
type column struct {
	name, dataType, columnType string
	charset, collation         string
	generated                  bool
	unfilled                   bool // NOT NULL and without a default: an INSERT must name it.
	stored                     bool // Generated, and kept in the table.
	compressed, oldTemporal    bool // MariaDB: COMPRESSED; a temporal column in its format of 5.3.
}

// tableKind is the TABLE_TYPE of what holds rows.
type tableKind string

// The kinds of tables. MySQL has the first alone.
const (
	baseTable      tableKind = "BASE TABLE"
	versionedTable tableKind = "SYSTEM VERSIONED"
	sequenceTable  tableKind = "SEQUENCE"
)

// systemSchemas never hold included tables; the filter refuses them too, this keeps the queries small.
const systemSchemas = "('mysql','sys','information_schema','performance_schema','binseal')"

// included gives the source's name of a replicated table; false for a table that is not.
type included func(schema.Name) (source schema.Name, ok bool)

// readList loads the included tables by their names.
func (s *server) readList(ctx context.Context, q querier, included included) error {
	return each(ctx, q, "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, CREATE_OPTIONS, TABLE_TYPE FROM information_schema.TABLES"+
		" WHERE TABLE_TYPE IN ('BASE TABLE','SYSTEM VERSIONED','SEQUENCE') AND TABLE_SCHEMA NOT IN "+systemSchemas, func(row []string) {
		if source, ok := included(schema.Name{Schema: row[0], Table: row[1]}); ok {
			options := strings.ToUpper(row[3])
			s.tables[row[0]+"."+row[1]] = &table{
				name: row[0] + "." + row[1], source: source, schema: row[0], base: row[1], kind: tableKind(row[4]), engine: row[2],
				encrypted: strings.Contains(options, "ENCRYPTION='Y'") || strings.Contains(options, `ENCRYPTION="Y"`),
			}
		}
	})
}

// readTables loads the included tables: one query per kind of fact for the whole server.
func (s *server) readTables(ctx context.Context, q querier, included included) error {
	err := s.readList(ctx, q, included)
	if err != nil || len(s.tables) == 0 {
		return err
	}
	if err := s.readColumns(ctx, q); err != nil {
		return err
	}
	if err := s.readGenerated(ctx, q); err != nil {
		return err
	}
	if err := s.readKeys(ctx, q); err != nil {
		return err
	}
	if err := s.readForeignKeys(ctx, q); err != nil {
		return err
	}
	err = each(ctx, q, "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS"+
		" WHERE EVENT_OBJECT_SCHEMA IN "+s.schemaList(), func(row []string) {
		if t := s.tables[row[0]+"."+row[1]]; t != nil {
			t.triggers = append(t.triggers, row[2])
		}
	})
	if err != nil {
		return err
	}
	return each(ctx, q, "SELECT EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS WHERE STATUS='ENABLED'"+
		" AND EVENT_SCHEMA IN "+s.schemaList(), func(row []string) {
		s.events = append(s.events, row[0]+"."+row[1])
	})
}

func (s *server) readColumns(ctx context.Context, q querier) error {
	return each(ctx, q, "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME,"+
		" COLLATION_NAME, EXTRA, IS_NULLABLE='NO' AND COLUMN_DEFAULT IS NULL FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN "+s.schemaList()+
		" ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION", func(row []string) {
		if t := s.tables[row[0]+"."+row[1]]; t != nil {
			extra := strings.ToUpper(row[7])
			generated := strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED")
			t.columns = append(t.columns, column{
				name: row[2], dataType: plainType(strings.ToLower(row[3])), columnType: plainType(row[4]), charset: plainCharset(row[5]),
				collation:  strings.Replace(row[6], "utf8_", "utf8mb3_", 1),
				generated:  generated,
				stored:     strings.Contains(extra, "STORED GENERATED"),
				unfilled:   row[8] == "1" && !generated && !strings.Contains(extra, "AUTO_INCREMENT") && !strings.Contains(extra, "DEFAULT_GENERATED"),
				compressed: strings.Contains(row[4], " COMPRESSED"), oldTemporal: strings.Contains(row[4], "/* mariadb-5.3 */"),
			})
		}
	})
}

// readKeys finds which tables have a key by which rows can be found (DESIGN.md §2: a nullable unique key is none).
func (s *server) readKeys(ctx context.Context, q querier) error {
	whole := map[string]bool{} // By table and index: all parts so far are whole NOT NULL columns.
	key := func(row []string) string { return row[0] + "\x00" + row[1] + "\x00" + row[2] }
	owner, columns := map[string]*table{}, map[string][]string{}
	err := each(ctx, q, "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, NULLABLE, SUB_PART"+
		" FROM information_schema.STATISTICS WHERE NON_UNIQUE=0 AND TABLE_SCHEMA IN "+s.schemaList(), func(row []string) {
		t := s.tables[row[0]+"."+row[1]]
		if t == nil {
			return
		}
		k := key(row)
		ok := row[2] == "PRIMARY" || row[3] != "" && row[4] != "YES" && row[5] == ""
		if _, known := owner[k]; !known {
			owner[k], whole[k] = t, true
		}
		whole[k] = whole[k] && ok
		columns[k] = append(columns[k], row[3])
		t.primary = t.primary || row[2] == "PRIMARY"
	})
	for k, t := range owner {
		if whole[k] {
			t.keyed, t.keys = true, append(t.keys, columns[k])
		}
	}
	return err
}

func (s *server) readForeignKeys(ctx context.Context, q querier) error {
	return each(ctx, q, "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM"+
		" information_schema.REFERENTIAL_CONSTRAINTS WHERE (DELETE_RULE IN ('CASCADE','SET NULL','SET DEFAULT')"+
		" OR UPDATE_RULE IN ('CASCADE','SET NULL','SET DEFAULT')) AND CONSTRAINT_SCHEMA IN "+s.schemaList(), func(row []string) {
		if t := s.tables[row[0]+"."+row[1]]; t != nil {
			t.cascades = append(t.cascades, row[2])
		}
	})
}

// bySource are the tables of a server under the source's names.
func bySource(tables map[string]*table) map[string]*table {
	out := make(map[string]*table, len(tables))
	for _, t := range tables {
		out[t.source.String()] = t
	}
	return out
}

// schemas lists the schemas of the included tables, sorted.
func (s *server) schemas() []string {
	var out []string
	for _, t := range s.tables {
		if !slices.Contains(out, t.schema) {
			out = append(out, t.schema)
		}
	}
	slices.Sort(out)
	return out
}

// schemaList is schemas as an IN list. Names come from the server, so they are escaped like any other text.
func (s *server) schemaList() string {
	names := s.schemas()
	for i, n := range names {
		names[i] = quoteText(n)
	}
	return "(" + strings.Join(names, ",") + ")"
}

var intWidth = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|bigint|year)\(\d+\)`)

// mariadbRemark is what MariaDB writes behind a type, as a comment for others.
var mariadbRemark = regexp.MustCompile(` /\*.*\*/`)

// plainType drops the display width that servers before 8.0.19 print, and MariaDB's remarks: int(11) and int are the same
// type. geomcollection is the name since 8.0.
func plainType(columnType string) string {
	if columnType == "geometrycollection" {
		return "geomcollection"
	}
	return intWidth.ReplaceAllString(mariadbRemark.ReplaceAllString(columnType, ""), "$1")
}

// plainCharset gives utf8mb3 its one name.
func plainCharset(name string) string {
	if name == "utf8" {
		return "utf8mb3"
	}
	return name
}
