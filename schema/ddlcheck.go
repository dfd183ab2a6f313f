package schema

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // The parser needs a literal type; it has no other public one.

	"github.com/binseal/binseal/change"
)

// crossCheck lets the TiDB parser read the statement too. It rejects much that MySQL accepts, which says nothing;
// but where it understands a statement and finds other names or another kind, one of the two readers is wrong, and
// the statement is refused.
func crossCheck(d *DDL, st *change.Statement, mode uint64) error {
	node := parseTiDB(st.SQL, mode)
	if node == nil {
		return nil
	}
	other := fromAST(node, st.Database)
	if other != nil && st.LowerCaseNames {
		for i := range other.Tables {
			other.Tables[i] = other.Tables[i].lower()
		}
		for i := range other.Databases {
			other.Databases[i] = strings.ToLower(other.Databases[i])
		}
	}
	same := other != nil && other.Kind == d.Kind && slices.Equal(other.Tables, d.Tables) &&
		slices.Equal(other.Databases, d.Databases)
	if !same {
		return unparsable("a " + d.Kind.String())
	}
	return nil
}

// parseTiDB returns nil for what the parser does not accept as one statement.
func parseTiDB(sql string, mode uint64) (node ast.StmtNode) {
	// Its lexer and actions index into the text; a panic of theirs means not understood.
	defer func() {
		if recover() != nil {
			node = nil
		}
	}()
	p := parser.New()
	p.SetSQLMode(mysql.SQLMode(mode & (1<<5 - 1 | modeNoBackslashEscapes)))
	nodes, _, err := p.ParseSQL(sql)
	if err != nil || len(nodes) != 1 {
		return nil
	}
	return nodes[0]
}

// fromAST reads kind and names from the parser's tree; nil for a statement that the stream does not run.
func fromAST(node ast.StmtNode, database string) *DDL {
	name := func(t *ast.TableName) Name {
		if t.Schema.O != "" {
			return Name{t.Schema.O, t.Name.O}
		}
		return Name{database, t.Name.O}
	}
	switch s := node.(type) {
	case *ast.CreateTableStmt:
		if s.Select != nil || s.TemporaryKeyword != ast.TemporaryNone {
			return nil
		}
		d := &DDL{Kind: CreateTable, Tables: []Name{name(s.Table)}}
		if s.ReferTable != nil {
			d.Tables = append(d.Tables, name(s.ReferTable))
		}
		return d
	case *ast.AlterTableStmt:
		d := &DDL{Kind: AlterTable, Tables: []Name{name(s.Table)}}
		for _, spec := range s.Specs {
			if spec.NewTable != nil {
				d.Tables = append(d.Tables, name(spec.NewTable))
			}
		}
		return d
	case *ast.DropTableStmt:
		if s.TemporaryKeyword != ast.TemporaryNone {
			return nil
		}
		d := &DDL{Kind: DropTable}
		if s.IsView {
			d.Kind = DropView
		}
		for _, t := range s.Tables {
			d.Tables = append(d.Tables, name(t))
		}
		return d
	case *ast.CreateViewStmt:
		return &DDL{Kind: CreateView, Tables: []Name{name(s.ViewName)}}
	case *ast.RenameTableStmt:
		d := &DDL{Kind: RenameTable}
		for _, t := range s.TableToTables {
			d.Tables = append(d.Tables, name(t.OldTable), name(t.NewTable))
		}
		return d
	case *ast.TruncateTableStmt:
		return &DDL{Kind: TruncateTable, Tables: []Name{name(s.Table)}}
	case *ast.CreateIndexStmt:
		return &DDL{Kind: CreateIndex, Tables: []Name{name(s.Table)}}
	case *ast.DropIndexStmt:
		return &DDL{Kind: DropIndex, Tables: []Name{name(s.Table)}}
	}
	return databaseFromAST(node, database)
}

// databaseFromAST is fromAST for statements on databases.
func databaseFromAST(node ast.StmtNode, database string) *DDL {
	switch s := node.(type) {
	case *ast.CreateDatabaseStmt:
		return &DDL{Kind: CreateDatabase, Databases: []string{s.Name.O}}
	case *ast.DropDatabaseStmt:
		return &DDL{Kind: DropDatabase, Databases: []string{s.Name.O}}
	case *ast.AlterDatabaseStmt:
		if s.AlterDefaultDatabase {
			return &DDL{Kind: AlterDatabase, Databases: []string{database}}
		}
		return &DDL{Kind: AlterDatabase, Databases: []string{s.Name.O}}
	}
	return nil
}
