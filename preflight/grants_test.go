package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGrant(t *testing.T) {
	for line, want := range map[string]*grant{
		"GRANT USAGE ON *.* TO `a`@`%`":                                       {privileges: []string{"USAGE"}, schema: "*", table: "*"},
		"GRANT SELECT, REPLICATION SLAVE ON *.* TO `a`@`%` WITH GRANT OPTION": {privileges: []string{"SELECT", "REPLICATION SLAVE"}, schema: "*", table: "*"},
		"GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`":                         {privileges: []string{"ALL PRIVILEGES"}, schema: "shop", table: "*"},
		"GRANT INSERT ON `my``db`.`a.b` TO `a`@`%`":                           {privileges: []string{"INSERT"}, schema: "my`db", table: "a.b"},
		"GRANT INSERT ON `a ON b`.`c TO d` TO `a`@`%`":                        {privileges: []string{"INSERT"}, schema: "a ON b", table: "c TO d"},
		"GRANT SELECT (`a`, `b`), INSERT ON `s`.`t` TO `a`@`%`":               {privileges: []string{"INSERT"}, schema: "s", table: "t"},
		"REVOKE SELECT ON `hr`.* FROM `a`@`%`":                                {revoke: true, privileges: []string{"SELECT"}, schema: "hr", table: "*"},
		"GRANT `role`@`%` TO `a`@`%`":                                         nil,
		"GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION":        nil,
		"GRANT EXECUTE ON PROCEDURE `s`.`p` TO `a`@`%`":                       nil,
		"GRANT EXECUTE ON FUNCTION `s`.`f` TO `a`@`%`":                        nil,
		"": nil, "GRANT": nil, "GRANT SELECT ON": nil, "GRANT SELECT ON x TO y": nil, "DROP TABLE t": nil,
	} {
		got, ok := parseGrant(line)
		if want == nil {
			if ok {
				t.Errorf("parseGrant(%s) = %+v, want it refused", line, got)
			}
			continue
		}
		if diff := cmp.Diff(*want, got, cmp.AllowUnexported(grant{})); diff != "" || !ok {
			t.Errorf("parseGrant(%s) (-want +got):\n%s", line, diff)
		}
	}
}

func TestMay(t *testing.T) {
	for name, test := range map[string]struct {
		grants        []string
		privilege     string
		schema, table string
		want          bool
	}{
		"a global privilege covers a table":        {[]string{"GRANT SELECT ON *.* TO `a`@`b`"}, "SELECT", "s", "t", true},
		"a global privilege is asked for globally": {[]string{"GRANT REPLICATION SLAVE ON *.* TO `a`@`b`"}, "REPLICATION SLAVE", "*", "*", true},
		"a schema's privilege is not global":       {[]string{"GRANT SELECT ON `s`.* TO `a`@`b`"}, "SELECT", "*", "*", false},
		"another privilege does not count":         {[]string{"GRANT INSERT ON *.* TO `a`@`b`"}, "SELECT", "s", "t", false},
		"all privileges cover each":                {[]string{"GRANT ALL PRIVILEGES ON `s`.* TO `a`@`b`"}, "DROP", "s", "*", true},
		"a pattern covers the schema":              {[]string{"GRANT SELECT ON `shop\\_%`.* TO `a`@`b`"}, "SELECT", "shop_eu", "t", true},
		"an escaped wildcard is itself":            {[]string{"GRANT SELECT ON `shop\\_%`.* TO `a`@`b`"}, "SELECT", "shopXeu", "t", false},
		"a wildcard is one byte":                   {[]string{"GRANT SELECT ON `shop_`.* TO `a`@`b`"}, "SELECT", "shop1", "t", true},
		"a table's privilege is for that table":    {[]string{"GRANT SELECT ON `s`.`t` TO `a`@`b`"}, "SELECT", "s", "u", false},
		"a table's privilege is not the schema's":  {[]string{"GRANT SELECT ON `s`.`t` TO `a`@`b`"}, "SELECT", "s", "*", false},
		"a partial revoke takes from the global":   {[]string{"GRANT SELECT ON *.* TO `a`@`b`", "REVOKE SELECT ON `s`.* FROM `a`@`b`"}, "SELECT", "s", "t", false},
		"a partial revoke leaves other schemas":    {[]string{"GRANT SELECT ON *.* TO `a`@`b`", "REVOKE SELECT ON `s`.* FROM `a`@`b`"}, "SELECT", "u", "t", true},
		"no grants, no privilege":                  {nil, "SELECT", "s", "t", false},
	} {
		s := &server{grants: mustGrants(test.grants...)}
		if got := s.may(test.privilege, test.schema, test.table); got != test.want {
			t.Errorf("%s: may(%s, %s, %s) = %v, want %v", name, test.privilege, test.schema, test.table, got, test.want)
		}
	}
}

func TestAccountIsQuoted(t *testing.T) {
	for user, want := range map[string]string{"repl@%": "'repl'@'%'", "o'x@10.0.%": "'o''x'@'10.0.%'", "a@b@c": "'a@b'@'c'", "": "''"} {
		if got := (&server{user: user}).account(); got != want {
			t.Errorf("account of %q = %s, want %s", user, got, want)
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	f.Add("GRANT SELECT (`a`), INSERT ON `s`.`t` TO `a`@`%`")
	f.Fuzz(func(t *testing.T, line string) { parseGrant(line) })
}
