package main

import (
	"strings"
	"testing"
)

// What an experiment would ignore is refused before anything is built or started.
func TestOptionsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		o    options
		want string // Part of the error; "" for none.
	}{
		"all of catch-up":          {options{Experiment: "catch-up", Contenders: []string{"native 8 unordered", "binseal split"}, Workloads: []string{"oltp"}, Profile: "p"}, ""},
		"a contender that is not":  {options{Experiment: "catch-up", Contenders: []string{"binseal spilt"}}, `there is no "binseal spilt"`},
		"a workload that is not":   {options{Experiment: "scaling", Workloads: []string{"olpt"}}, `there is no "olpt"`},
		"a follower":               {options{Experiment: "steady", Contenders: []string{"native 4", "binseal auto"}}, ""},
		"a follower that is not":   {options{Experiment: "steady", Contenders: []string{"binseal split"}}, `there is no "binseal split"`},
		"of distance":              {options{Experiment: "distance", Contenders: []string{"binseal strict, commit +5 ms"}}, ""},
		"not of distance":          {options{Experiment: "distance", Contenders: []string{"binseal auto"}}, `there is no "binseal auto"`},
		"of scaling":               {options{Experiment: "scaling", Contenders: []string{"split, 4 sessions"}}, ""},
		"workloads of steady":      {options{Experiment: "steady", Workloads: []string{"oltp"}}, "steady has no --workloads"},
		"a profile of scaling":     {options{Experiment: "scaling", Profile: "p"}, "scaling has no --profile"},
		"a build of scaling":       {options{Experiment: "scaling", Before: "p"}, "scaling has no --before"},
		"another build":            {options{Experiment: "catch-up", Before: "p", Contenders: []string{"binseal split", "binseal split before"}}, ""},
		"a build not given":        {options{Experiment: "catch-up", Contenders: []string{"binseal split before"}}, `there is no "binseal split before"`},
		"a quick contender":        {options{Experiment: "catch-up", Quick: true, Contenders: []string{"native 16 unordered"}}, ""},
		"a contender not in quick": {options{Experiment: "catch-up", Quick: true, Contenders: []string{"native 16"}}, `there is no "native 16"`},
	} {
		err := c.o.fits()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
