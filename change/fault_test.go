package change

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaultText(t *testing.T) {
	cases := map[string]struct {
		fault Fault
		want  string
	}{
		"all parts but the next step": {
			Fault{Code: "BS-X", What: "it broke", Where: "binlog.000001:4", Next: "mend it", Err: errors.New("cause")},
			"binlog.000001:4: it broke: cause [BS-X]"},
		"no place": {Fault{Code: "BS-X", What: "it broke", Err: errors.New("cause")}, "it broke: cause [BS-X]"},
		"no cause": {Fault{Code: "BS-X", What: "it broke", Where: "t"}, "t: it broke [BS-X]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.fault.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHalts(t *testing.T) {
	person := &Fault{Code: "BS-PERSON", Class: ClassPerson}
	runtime := &Fault{Code: "BS-RUNTIME", Class: ClassRuntime}
	cases := map[string]struct {
		err  error
		want bool
	}{
		"no error":                               {nil, false},
		"an error that is no fault":              {errors.New("x"), false},
		"a fault that needs a person":            {person, true},
		"the same, wrapped":                      {fmt.Errorf("apply: %w", person), true},
		"the same, joined behind a plain error":  {errors.Join(errors.New("x"), person), true},
		"a fault that may pass":                  {runtime, false},
		"an environment that refuses":            {&Fault{Class: ClassEnvironment}, false},
		"of two joined faults the first decides": {errors.Join(runtime, person), false},
		"and a fault decides for its cause":      {&Fault{Class: ClassRuntime, Err: person}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Halts(c.err); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if c.want && FaultOf(c.err).Code != "BS-PERSON" {
				t.Errorf("the fault found is %s", FaultOf(c.err).Code)
			}
		})
	}
}

func TestFaultUnwrapsToItsCause(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("outer: %w", &Fault{Err: cause})
	if !errors.Is(err, cause) {
		t.Error("the cause is not found")
	}
	if FaultOf(err) == nil || FaultOf(cause) != nil || FaultOf(nil) != nil {
		t.Error("FaultOf finds the wrong thing")
	}
}
