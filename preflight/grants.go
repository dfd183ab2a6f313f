package preflight

import (
	"slices"
	"strings"
)

// grant is one line of SHOW GRANTS that concerns tables. The server lists the privileges of the account's active
// roles among them.
type grant struct {
	revoke     bool     // A partial revoke: REVOKE … ON `schema`.* FROM …
	privileges []string // Upper case, whole tables only: column privileges are left out.
	schema     string   // "*" for all; else a name, or a LIKE pattern when table is "*".
	table      string   // "*" for all.
}

// parseGrant reads a line of SHOW GRANTS as MySQL writes it in sql_mode ”. ok is false for roles, proxies and
// routines, which do not matter here.
// Grammar: MySQL Reference Manual, GRANT Statement; quoting as in sql_authorization / sql_auth_cache.
func parseGrant(line string) (g grant, ok bool) {
	rest, found := strings.CutPrefix(line, "GRANT ")
	end := " TO "
	if !found {
		if rest, found = strings.CutPrefix(line, "REVOKE "); !found {
			return g, false
		}
		g.revoke, end = true, " FROM "
	}
	list, rest, found := cutOutside(rest, " ON ")
	if !found {
		return g, false // GRANT `role`@`%` TO …
	}
	object, _, found := cutOutside(rest, end)
	if !found {
		return g, false
	}
	schemaName, tableName, found := cutOutside(object, ".")
	if !found || strings.HasPrefix(object, "PROCEDURE ") || strings.HasPrefix(object, "FUNCTION ") ||
		strings.HasPrefix(object, "LIBRARY ") || strings.HasPrefix(object, "PACKAGE ") {
		return g, false
	}
	g.schema, g.table = unquoteName(schemaName), unquoteName(tableName)
	for len(list) > 0 {
		var one string
		one, list, _ = cutOutside(list, ",")
		one = strings.ToUpper(strings.TrimSpace(one))
		if one != "" && !strings.Contains(one, "(") {
			g.privileges = append(g.privileges, one)
		}
	}
	return g, true
}

// cutOutside cuts s around the first sep that is outside back quotes and brackets.
func cutOutside(s, sep string) (before, after string, found bool) {
	quoted, depth := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '`':
			quoted = !quoted // A doubled quote inside a name leaves and enters again: the same.
		case quoted:
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		}
		if !quoted && depth == 0 && strings.HasPrefix(s[i:], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

func unquoteName(s string) string {
	if len(s) >= 2 && s[0] == '`' && s[len(s)-1] == '`' {
		return strings.ReplaceAll(s[1:len(s)-1], "``", "`")
	}
	return s
}

// covers reports whether g has the privilege, by name or as ALL PRIVILEGES.
func (g grant) covers(privilege string) bool {
	return slices.Contains(g.privileges, privilege) || slices.Contains(g.privileges, "ALL PRIVILEGES")
}

// may reports whether the grants give a privilege on schema.table; table "*" asks for the whole schema, schema "*"
// for the server.
func (s *server) may(privilege, schemaName, tableName string) bool {
	revoked := slices.ContainsFunc(s.grants, func(g grant) bool {
		return g.revoke && g.schema == schemaName && g.covers(privilege)
	})
	return slices.ContainsFunc(s.grants, func(g grant) bool {
		switch {
		case g.revoke || !g.covers(privilege):
			return false
		case g.schema == "*":
			return !revoked // A partial revoke takes from the global grant only.
		case g.table == "*":
			return like(g.schema, schemaName)
		default:
			return g.schema == schemaName && g.table == tableName
		}
	})
}

// missing lists those of privileges that may does not give.
func (s *server) missing(privileges []string, schemaName, tableName string) []string {
	var out []string
	for _, p := range privileges {
		if !s.may(p, schemaName, tableName) {
			out = append(out, p)
		}
	}
	return out
}

// like matches a name against a schema pattern of GRANT: % and _ are wildcards, \ takes the next byte as it is.
func like(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	switch {
	case pattern[0] == '%':
		return like(pattern[1:], name) || name != "" && like(pattern, name[1:])
	case name == "":
		return false
	case pattern[0] == '\\' && len(pattern) > 1:
		return pattern[1] == name[0] && like(pattern[2:], name[1:])
	case pattern[0] == '_' || pattern[0] == name[0]:
		return like(pattern[1:], name[1:])
	}
	return false
}
