package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/binseal/binseal/change"
)

// failure is an error as --json prints it.
type failure struct {
	OK        bool     `json:"ok"` // Always false.
	Code      string   `json:"code"`
	Class     int      `json:"class"` // The exit code.
	What      string   `json:"what"`
	Where     string   `json:"where"`
	NextSteps []string `json:"next_steps"`
}

// faultOf is the Fault in err's chain, or one of class 1 around err. Errors that are no Fault are texts of our own
// packages, which carry no row values and no server texts (invariant 9).
func faultOf(err error) *change.Fault {
	if f := change.FaultOf(err); f != nil {
		return f
	}
	return &change.Fault{
		Code: "BS-RUNTIME", Class: change.ClassRuntime, What: err.Error(),
		Next: "start again; the stream goes on from its checkpoint",
	}
}

// whatOf is what went wrong with its cause.
func whatOf(f *change.Fault) string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %v", f.What, f.Err)
	}
	return f.What
}

func failureOf(f *change.Fault) failure {
	out := failure{Code: f.Code, Class: int(f.Class), What: whatOf(f), Where: f.Where, NextSteps: []string{}}
	if f.Next != "" {
		out.NextSteps = append(out.NextSteps, f.Next)
	}
	return out
}

// failureText is the error for a person: what, where, code, next step, a line each.
func failureText(f *change.Fault) string {
	var b strings.Builder
	fmt.Fprintf(&b, "binseal: %s\n", whatOf(f))
	if f.Where != "" {
		fmt.Fprintf(&b, "  where  %s\n", f.Where)
	}
	fmt.Fprintf(&b, "  code   %s (exit code %d)\n", f.Code, f.Class)
	if f.Next != "" {
		fmt.Fprintf(&b, "  next   %s\n", f.Next)
	}
	return b.String()
}

// writeJSON prints one indented value. What it is given can always be encoded; a writer that fails is a closed pipe.
func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}
