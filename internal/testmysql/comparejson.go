package testmysql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Bounds of what is looked at per JSON column: a test's tables hold a few documents, a load's hold many alike.
const (
	jsonDocuments = 1000
	jsonPaths     = 300
)

// jsonTypes gives an expression per path of a JSON column's documents: the JSON_TYPE there, "N" where the document
// has no such path. The text of a document does not tell a DECIMAL from a DOUBLE, or a DATE from a string.
func (c *comparison) jsonTypes(ctx context.Context, table, column string) ([]string, error) {
	rows, err := c.conns[0].QueryContext(ctx, fmt.Sprintf("SELECT CAST(%s AS CHAR) FROM %s WHERE %s IS NOT NULL LIMIT %d",
		column, table, column, jsonDocuments))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		var document any
		if err := json.Unmarshal(text, &document); err != nil {
			continue // A number that Go does not hold, such as 1e999: its text is compared all the same.
		}
		paths(document, "$", found)
	}
	var types []string
	for path := range found {
		types = append(types, fmt.Sprintf("COALESCE(JSON_TYPE(JSON_EXTRACT(%s, %s)), 'N')", column, quoteText(path)))
	}
	slices.Sort(types)
	return types, rows.Err()
}

// paths adds the paths below and at a value, as many as the bound allows.
func paths(value any, at string, found map[string]bool) {
	if len(found) >= jsonPaths {
		return
	}
	found[at] = true
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			quoted, _ := json.Marshal(key) // A path quotes a member as JSON does.
			paths(member, at+"."+string(quoted), found)
		}
	case []any:
		for i, element := range v {
			paths(element, fmt.Sprintf("%s[%d]", at, i), found)
		}
	}
}

// Digest gives a line per table of the schemas on a server, by which one sees whether a table has changed: a hash of its
// definition and its rows.
func (s *Server) Digest(ctx context.Context, schemas ...string) (map[string]string, error) {
	c := &comparison{}
	if err := c.open(ctx, s.db); err != nil {
		return nil, err
	}
	defer func() { _ = c.close() }()
	tables, err := c.tables(ctx, 0, schemas)
	if err != nil {
		return nil, err
	}
	digest := map[string]string{}
	for _, table := range tables {
		definition, err := c.definition(ctx, 0, table)
		if err != nil {
			return nil, err
		}
		row, err := c.rowExpression(ctx, table)
		if err != nil {
			return nil, err
		}
		sum, err := c.sum(ctx, 0, table, row)
		if err != nil {
			return nil, err
		}
		digest[table] = strings.Join([]string{definition, fmt.Sprint(sum.rows), sum.high, sum.low}, " ")
	}
	return digest, nil
}
