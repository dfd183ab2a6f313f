package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

func mustRules(t *testing.T, rules ...RuleConfig) *Rules {
	t.Helper()
	r, err := NewRules(DDLConfig{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJudge(t *testing.T) {
	rules := mustRules(t,
		RuleConfig{Match: MatchConfig{Kind: "create server"}, Do: Skip},
		RuleConfig{Match: MatchConfig{Kind: "ALTER TABLE", Table: "app.big*", Statement: "* engine = ?nnodb"}, Do: Skip},
		RuleConfig{Match: MatchConfig{Statement: "alter table p discard partition *"}, Do: Apply},
		RuleConfig{Match: MatchConfig{Kind: "DROP TABLE", Table: "app.gone"}, Do: Rewrite, With: "drop table if exists gone"},
		RuleConfig{Match: MatchConfig{Kind: "CREATE ROUTINE", Table: "app.f"}, Do: Skip},
		RuleConfig{Match: MatchConfig{Kind: "STATEMENT"}, Do: Skip},
	)
	type got struct {
		Kind   string
		Action Action
		Rule   int
		SQL    string
		Blind  bool
	}
	for sql, want := range map[string]got{
		"create server s foreign data wrapper mysql options (user 'x')": {Kind: "CREATE SERVER", Action: Skip, Rule: 1},
		"ALTER TABLE big_one\n  ENGINE = InnoDB":                        {Kind: "ALTER TABLE", Action: Skip, Rule: 2},
		"alter table small engine = innodb":                             {Kind: "ALTER TABLE", SQL: "alter table small engine = innodb"},
		"alter table p discard partition p0 tablespace":                 {Kind: "ALTER TABLE", Action: Apply, Rule: 3, SQL: "alter table p discard partition p0 tablespace", Blind: true},
		"drop table gone":                             {Kind: "DROP TABLE", Action: Rewrite, Rule: 4, SQL: "drop table if exists gone"},
		"create function f() returns int return 1":    {Kind: "CREATE ROUTINE", Action: Skip, Rule: 5},
		"frobnicate":                                  {Kind: "STATEMENT", Action: Skip, Rule: 6},
		"create table t(a varchar(9) default 'open":   {Kind: "STATEMENT", Action: Skip, Rule: 6},
		"alter table other add column engine int":     {Kind: "ALTER TABLE", SQL: "alter table other add column engine int"},
		"create procedure other.f() select 'app.f'; ": {Kind: "CREATE ROUTINE", SQL: "create procedure other.f() select 'app.f'; "},
	} {
		t.Run(sql, func(t *testing.T) {
			v, err := rules.Judge(statement(sql))
			if err != nil {
				t.Fatal(err)
			}
			have := got{Kind: v.Kind, Action: v.Action, Rule: v.Rule}
			if v.DDL != nil {
				have.SQL, have.Blind = v.DDL.SQL, v.DDL.Blind
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a refusal prints as its next step must be a rule that the config takes and that finds the statement.
func TestRefusalNamesTheRule(t *testing.T) {
	for sql, kind := range map[string]string{
		"create server s foreign data wrapper mysql options (user 'secret')":           "CREATE SERVER",
		"create tablespace ts add datafile 'secret.ibd'":                               "CREATE TABLESPACE",
		"create or replace spatial reference system 4120 name 'secret' definition 'x'": "CREATE REFERENCE",
		"alter table p discard partition secret tablespace":                            "ALTER TABLE",
		"set global x = 'secret'":                                                      "SET",
		"install component 'secret'":                                                   "INSTALL",
		"'secret'":                                                                     "STATEMENT",
	} {
		t.Run(sql, func(t *testing.T) {
			var none *Rules
			_, err := none.Judge(statement(sql))
			f := change.FaultOf(err)
			if f == nil || !strings.Contains(f.Next, `kind: "`+kind+`"`) || strings.Contains(f.Error()+f.Next, "secret") {
				t.Fatalf("got %v, next %q", err, f.Next)
			}
			v, err := mustRules(t, RuleConfig{Match: MatchConfig{Kind: kind}, Do: Skip}).Judge(statement(sql))
			if err != nil || v.Action != Skip || v.DDL != nil {
				t.Errorf("the rule does not find the statement: %+v, %v", v, err)
			}
		})
	}
}

func TestRulesAreNotForRows(t *testing.T) {
	rules := mustRules(t, RuleConfig{Match: MatchConfig{Statement: "*"}, Do: Apply})
	for sql, code := range map[string]string{"insert into t values (1)": "BS-DML-STATEMENT", "xa start 'x'": "BS-XA-UNSUPPORTED"} {
		if _, err := rules.Judge(statement(sql)); change.FaultOf(err) == nil || change.FaultOf(err).Code != code {
			t.Errorf("%s: got %v", sql, err)
		}
	}
}

func TestNewRulesRefuses(t *testing.T) {
	for sentence, test := range map[string]struct {
		rule RuleConfig
		key  string
	}{
		"no match":                    {RuleConfig{Do: Skip}, "match"},
		"a kind that nothing has":     {RuleConfig{Match: MatchConfig{Kind: "ALTRE TABLE"}, Do: Skip}, "match.kind"},
		"a table without its schema":  {RuleConfig{Match: MatchConfig{Table: "orders"}, Do: Skip}, "match.table"},
		"no action":                   {RuleConfig{Match: MatchConfig{Table: "a.b"}}, "do"},
		"an unknown action":           {RuleConfig{Match: MatchConfig{Table: "a.b"}, Do: "ignore"}, "do"},
		"rewrite without a statement": {RuleConfig{Match: MatchConfig{Table: "a.b"}, Do: Rewrite}, "with"},
		"skip with a statement":       {RuleConfig{Match: MatchConfig{Table: "a.b"}, Do: Skip, With: "drop table x"}, "with"},
		"rewrite to a change of rows": {RuleConfig{Match: MatchConfig{Table: "a.b"}, Do: Rewrite, With: "delete from t"}, "with"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := NewRules(DDLConfig{Rules: []RuleConfig{{Match: MatchConfig{Kind: "*"}, Do: Skip}, test.rule}})
			e, ok := errors.AsType[*RuleError](err)
			if !ok || e.Index != 1 || e.Key != test.key || e.Next == "" {
				t.Errorf("got %+v, want key %s", err, test.key)
			}
		})
	}
}
