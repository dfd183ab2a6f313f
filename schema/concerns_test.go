package schema

import (
	"testing"

	"github.com/binseal/binseal/change"
)

// What rules and the filter make of a statement together.
func TestConcerns(t *testing.T) {
	filter, err := NewFilter(FilterConfig{Include: []string{"shop.*"}, Exclude: []string{"shop.tmp_*"}})
	if err != nil {
		t.Fatal(err)
	}
	rule := func(kind string, do Action, with string) []RuleConfig {
		return []RuleConfig{{Match: MatchConfig{Kind: kind}, Do: do, With: with}}
	}
	for sentence, test := range map[string]struct {
		sql   string
		rules []RuleConfig
		run   bool
		code  string
	}{
		"an included table":                        {"drop table a", nil, true, ""},
		"both kinds of tables":                     {"drop table a, tmp_a", nil, false, "BS-DDL-MIXED-FILTER"},
		"both, and the operator says apply":        {"drop table a, tmp_a", rule("DROP TABLE", Apply, ""), true, ""},
		"both, and the operator says skip":         {"drop table a, tmp_a", rule("DROP TABLE", Skip, ""), false, ""},
		"both, rewritten to one":                   {"drop table a, tmp_a", rule("DROP TABLE", Rewrite, "drop table a"), true, ""},
		"excluded only, under a wide rule":         {"drop table tmp_a", rule("*", Apply, ""), false, ""},
		"rewritten to an excluded table":           {"drop table a", rule("DROP TABLE", Rewrite, "drop table tmp_a"), false, ""},
		"accounts":                                 {"drop user u", nil, false, ""},
		"accounts, and the operator says apply":    {"drop user u", rule("accounts", Apply, ""), true, ""},
		"not understood, and the operator says so": {"frobnicate", rule("STATEMENT", Apply, ""), true, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			rules, err := NewRules(DDLConfig{Rules: test.rules})
			if err != nil {
				t.Fatal(err)
			}
			v, err := rules.Judge(&change.Statement{SQL: test.sql, Database: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			run, err := v.Concerns(filter, nil)
			var code string
			if f := change.FaultOf(err); f != nil {
				code = f.Code
			}
			if run != test.run || code != test.code {
				t.Errorf("got run=%v, %v", run, err)
			}
		})
	}
}
